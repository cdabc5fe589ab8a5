"""Siblings of a transformer's layer that share work: nested heads and nested hidden units, by partial sums.

What the first heads add to a vector is part of what more of them add, and so with hidden units. So siblings are
computed from segments between the options, each once, and the sums of the first segments are the siblings. A segment is
the same computation whichever siblings are asked for, so no result depends on the others, to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Activation = Callable[[Tensor], Tensor]

ACTIVATIONS: dict[str, Activation] = {
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "relu": F.relu,
}
"""By the names of `core.networks.blocks.base.GELU`."""


def attended(
    query: Tensor, key: Tensor, value: Tensor, *, head_size: int, mask: Tensor | None = None
) -> Tensor:
    """Attention with heads of one size.

    Args:
        query, key, value: (n, t, heads * head_size).
        head_size: numbers of a head.
        mask: (n, t), true where there is a token; None where all are.

    Returns:
        (n, t, heads * head_size), the heads side by side.
    """
    shape = (*query.shape[:2], -1, head_size)
    scores = query.view(shape).transpose(1, 2) @ key.view(shape).permute(0, 2, 3, 1) / head_size**0.5
    if mask is not None:
        # Not minus infinity: a text that is all padding would become not a number.
        scores = scores.masked_fill(~mask[:, None, None, :], -1e9)
    return (scores.softmax(3) @ value.view(shape).transpose(1, 2)).transpose(1, 2).flatten(2)


def nested_heads(
    x: Tensor,
    layers: tuple[nn.Linear, nn.Linear, nn.Linear, nn.Linear],
    head_size: int,
    *,
    options: Sequence[int],
    wanted: Collection[int],
    mask: Tensor | None = None,
) -> dict[int, Tensor]:
    """What attention with its first heads adds, for several numbers of heads.

    Args:
        x: (n, t, width), what the layers read; they may be wider.
        layers: that make queries, keys and values, and the one that projects heads onto vectors.
        head_size: numbers of a head.
        options: ascending numbers of heads; the segments lie between them.
        wanted: some of them.
        mask: see `attended`.

    Returns:
        Number of heads -> (n, t, width), bias included.
    """
    *inner, project = layers
    width, total, found = x.shape[-1], None, {}
    for low, high in pairwise([0, *(each for each in options if each <= max(wanted))]):
        rows = slice(low * head_size, high * head_size)
        made = (F.linear(x, layer.weight[rows, :width], layer.bias[rows]) for layer in inner)
        part = attended(*made, head_size=head_size, mask=mask)
        total = _added(total, part, project, rows, width)
        if high in wanted:
            found[high] = total
    return found


def nested_hidden(
    x: Tensor,
    expand: nn.Linear,
    contract: nn.Linear,
    activation: Activation,
    *,
    options: Sequence[int],
    wanted: Collection[int],
) -> dict[int, Tensor]:
    """What an MLP with its first hidden units adds, for several numbers of them.

    Args:
        x: (n, t, width), what the first layer reads; it may be wider.
        expand, contract: the layers of the MLP.
        activation: between them, each unit by itself.
        options: ascending numbers of hidden units; the segments lie between them.
        wanted: some of them.

    Returns:
        Number of hidden units -> (n, t, width), bias included.
    """
    width, total, found = x.shape[-1], None, {}
    for low, high in pairwise([0, *(each for each in options if each <= max(wanted))]):
        rows = slice(low, high)
        part = activation(F.linear(x, expand.weight[rows, :width], expand.bias[rows]))
        total = _added(total, part, contract, rows, width)
        if high in wanted:
            found[high] = total
    return found


def _added(total: Tensor | None, part: Tensor, layer: nn.Linear, columns: slice, width: int) -> Tensor:
    """A partial sum and what some inputs of a layer add to it; the layer's bias comes with the first."""
    weight = layer.weight[:width, columns]
    if total is None:
        return F.linear(part, weight, layer.bias[:width])
    return torch.add(total, F.linear(part, weight))
