"""How fast a decoder writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.objectives.base import OBJECTIVES
from core.objectives.decoder_speed import TokensPerSecond, require_window

if TYPE_CHECKING:
    from core.networks.decoder_graphs import DecoderGraph


@OBJECTIVES.register("decode_tokens_per_s")
class DecodeSpeed(TokensPerSecond):
    """Tokens told per second on this machine, one by one with keys and values kept, at half a window of context."""

    label = "Decode speed"
    place = 42
    runs = 40
    invitation = "Time writing on this machine"
    protocol = (
        "Cuts the subnet out and times one step of writing, the cache holding keys and values of half a window: "
        "onnxruntime, one thread, 5 rounds of 40 runs interleaved with the largest subnet; the fastest run counts."
    )

    def graph(self, file: bytes, tokens: NDArray[np.int64]) -> tuple[DecoderGraph, int]:
        import torch

        from core.networks.decoder_graphs import step_graph
        from core.networks.file import load_net

        require_window(tokens)
        net, _ = load_net(file)
        return step_graph(net, torch.from_numpy(tokens[:, : max(2, tokens.shape[1] // 2 + 1)])), 1
