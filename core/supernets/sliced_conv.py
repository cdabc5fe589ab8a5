"""Convolutions of which a subnet uses the first channels: made, run and copied so."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def fresh_conv(
    in_channels: int, channels: int, kernel: int, stride: int = 1, *, groups: int = 1, bias: bool = False
) -> nn.Conv2d:
    """A convolution that keeps a map's size, but for its stride; weights drawn for what follows a ReLU."""
    layer = nn.Conv2d(in_channels, channels, kernel, stride, kernel // 2, groups=groups, bias=bias)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def convolved(layer: nn.Conv2d, x: Tensor, channels: int) -> Tensor:
    """The first `channels` outputs of a convolution on the first inputs that x has."""
    deep = layer.groups > 1
    weight = layer.weight[:channels] if deep else layer.weight[:channels, : x.shape[1]]
    bias = None if layer.bias is None else layer.bias[:channels]
    groups = channels if deep else 1
    return F.conv2d(x, weight, bias, layer.stride, layer.padding, groups=groups)


@torch.no_grad()
def copy_conv(source: nn.Conv2d, target: nn.Conv2d) -> None:
    """Write the first weights that fit into a plain layer."""
    channels, inputs = target.weight.shape[:2]
    target.weight.copy_(source.weight[:channels, :inputs])
    if target.bias is not None:
        assert source.bias is not None
        target.bias.copy_(source.bias[:channels])
