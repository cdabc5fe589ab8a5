"""Layers of which a subnet uses the first units: run so, copied so into plain layers, and what running them holds."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


def linear(layer: nn.Linear, x: Tensor, out: int) -> Tensor:
    """The first `out` outputs of a linear layer on the first inputs that x has."""
    return F.linear(x, layer.weight[:out, : x.shape[-1]], layer.bias[:out])


def normalized(layer: nn.LayerNorm, x: Tensor) -> Tensor:
    """LayerNorm over the channels that x has, and over no others."""
    width = x.shape[-1]
    return F.layer_norm(x, (width,), layer.weight[:width], layer.bias[:width], layer.eps)


def copy_linear(source: nn.Linear, target: nn.Linear) -> None:
    """Write the first weights that fit into a plain layer; call it without gradients."""
    target.weight.copy_(source.weight[: target.out_features, : target.in_features])
    target.bias.copy_(source.bias[: target.out_features])


def copy_norm(source: nn.LayerNorm, target: nn.LayerNorm) -> None:
    """The same for LayerNorm."""
    width = target.weight.shape[0]
    target.weight.copy_(source.weight[:width])
    target.bias.copy_(source.bias[:width])


def held_by_attention(tokens: int, width: int, *, heads: int, inner: int, hidden: int) -> int:
    """Numbers alive at once while a pre-norm block runs on one sample; see `held_bytes` in `stage_cost.counts`.

    Args:
        tokens: vectors of one sample.
        width: of a vector.
        heads: of the attention.
        inner: numbers of a query, all heads together.
        hidden: units of the MLP.
    """
    vectors, queries, scores = tokens * width, tokens * inner, heads * tokens**2
    return max(
        2 * vectors + 3 * queries,  # input, normalized, and queries, keys, values
        vectors + 3 * queries + scores,
        3 * vectors + tokens * hidden,  # input, sum, normalized (or what is added), hidden units
    )
