"""Layers of which a subnet uses the first units: run so, copied so into plain layers, and what running them holds."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from core.supernets.masked import Units, masked_norm, only, whole


def linear(layer: nn.Linear, x: Tensor, out: Units) -> Tensor:
    """The first `out` outputs of a linear layer on the first inputs that x has."""
    made = whole(out)
    return only(F.linear(x, layer.weight[:made, : x.shape[-1]], layer.bias[:made]), out)


def normalized(layer: nn.LayerNorm, x: Tensor, kept: Units | None = None) -> Tensor:
    """LayerNorm over the channels that x has, and over no others.

    Args:
        layer: may be wider.
        x: (n, t, width).
        kept: where each sample keeps channels of its own, which; x is zero elsewhere.
    """
    width = x.shape[-1]
    if kept is not None and not isinstance(kept, int):
        return masked_norm(x, layer.weight, layer.bias, layer.eps, kept)
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


def copy_attention_and_mlp(stage: nn.Module, block: nn.Module) -> None:
    """Write the first entries of a stage's attention, MLP and norms into a plain block; call it without gradients."""
    for name, layer in block.named_children():
        # What a stage's `key` says is something else.
        source = stage.get_submodule("key_" if name == "key" else name)
        if isinstance(source, nn.LayerNorm) and isinstance(layer, nn.LayerNorm):
            copy_norm(source, layer)
        elif isinstance(source, nn.Linear) and isinstance(layer, nn.Linear):
            copy_linear(source, layer)
