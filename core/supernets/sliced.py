"""Layers of which a subnet uses the first units: run so, and copied so into plain layers."""

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
