"""A decoder as two ONNX graphs, as programs run it: one reads a text, one goes on by a token with keys and values kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.networks.generating import Cache, Decoder
from core.networks.onnx_tracing import graph_bytes


@dataclass(frozen=True)
class DecoderGraph:
    """An ONNX model and arrays that it takes, in the order of its inputs.

    Attributes:
        model: its outputs are the logits (1, vocabulary) of the token that follows, then keys and values of each layer.
        sample: tokens (1, t) int64, then keys and values (1, key heads, past, head size) of each layer, if there are any.
    """

    model: bytes
    sample: tuple[NDArray[np.generic], ...]


class _Reading(nn.Module):
    """The decoder as a function of tensors alone, after so many tokens."""

    def __init__(self, net: nn.Sequential, before: int) -> None:
        super().__init__()
        self.net, self.before = net, before

    def forward(self, tokens: Tensor, *past: Tensor) -> tuple[Tensor, ...]:
        kept = list(zip(past[::2], past[1::2], strict=True))
        logits, after = Decoder(self.net).read(tokens, Cache(kept, self.before) if self.before else None)
        return logits, *(each for pair in after.past for each in pair)


def reading_graph(net: nn.Sequential, tokens: Tensor) -> DecoderGraph:
    """Reads tokens (1, t) from the start, and returns what it keeps of them.

    Raises:
        InvalidInput: the network is no decoder.
    """
    return _graph(net, tokens, Cache([], 0))


def step_graph(net: nn.Sequential, tokens: Tensor) -> DecoderGraph:
    """Reads the last of tokens (1, t), at least two, with keys and values of those before; sizes are fixed.

    Raises:
        InvalidInput: the network is no decoder.
    """
    with torch.no_grad():
        _, cache = Decoder(net).read(tokens[:, :-1])
    return _graph(net, tokens[:, -1:], cache)


def _graph(net: nn.Sequential, tokens: Tensor, cache: Cache) -> DecoderGraph:
    layers = len(Decoder(net).blocks)
    kept = [f"{what}{layer}" for layer in range(layers) for what in ("keys", "values")]
    inputs = (tokens, *(each for pair in cache.past for each in pair))
    model = graph_bytes(
        _Reading(net, cache.tokens),
        inputs,
        names=["tokens", *(f"past_{name}" for name in kept)][: len(inputs)],
        outputs=["logits", *kept],
        axes={},
    )
    return DecoderGraph(model, tuple(each.numpy() for each in inputs))
