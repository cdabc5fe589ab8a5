"""How fast a decoder reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.objectives.base import OBJECTIVES
from core.objectives.decoder_speed import TokensPerSecond

if TYPE_CHECKING:
    from core.networks.decoder_graphs import DecoderGraph


@OBJECTIVES.register("prefill_tokens_per_s")
class PrefillSpeed(TokensPerSecond):
    """Tokens of a window read per second on this machine, keys and values kept: onnxruntime, one thread."""

    label = "Prefill speed"
    place = 41
    runs = 6
    invitation = "Time reading on this machine"
    protocol = (
        "Cuts the subnet out and times how it reads one window of text at once and keeps its keys and values: "
        "onnxruntime, one thread, 5 rounds of 6 runs interleaved with the largest subnet; the fastest run counts."
    )

    def graph(self, file: bytes, tokens: NDArray[np.int64]) -> tuple[DecoderGraph, int]:
        import torch

        from core.networks.decoder_graphs import reading_graph
        from core.networks.file import load_net

        net, _ = load_net(file)
        return reading_graph(net, torch.from_numpy(tokens)), tokens.shape[1]
