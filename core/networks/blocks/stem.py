"""The first block of a residual convolutional network."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.base import BLOCKS, KERNEL, STRIDE, BlockKind, Count, Example
from core.networks.groups import UnitWalk


class Stem(nn.Module):
    """Normalize the input by constants, then convolution, BatchNorm, ReLU."""

    mean: Tensor
    std: Tensor

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.arguments = {
            "in_channels": in_channels,
            "out_channels": out_channels,
            "kernel": kernel,
            "stride": stride,
        }
        self.register_buffer("mean", torch.zeros(1, in_channels, 1, 1))
        self.register_buffer("std", torch.ones(1, in_channels, 1, 1))
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv((x - self.mean) / self.std)))


@BLOCKS.register("stem")
class StemKind(BlockKind):
    """Constants for normalization, convolution, BatchNorm, ReLU."""

    label = "Stem"
    source = "He et al., ResNet, CVPR 2016 (without pooling)"
    module = Stem
    arguments = {"in_channels": Count(), "out_channels": Count(), "kernel": KERNEL, "stride": STRIDE}
    sizes = {"out_channels": ("conv.weight", 0)}
    foldable = (("conv", "norm"),)
    offsets, positive = ("mean",), ("std",)
    example = Example(
        (2, 8, 8),
        (
            ("Stem", {"in_channels": 2, "out_channels": 5, "kernel": 3, "stride": 2}),
            ("PoolingHead", {"in_channels": 5, "classes": 3}),
        ),
    )

    def units(self, block: Stem, walk: UnitWalk) -> None:
        width = block.conv.out_channels
        walk.ends("conv", "norm", width)

    def input_shape(self, block: Stem) -> tuple[int, ...]:
        return (block.conv.in_channels, 32, 32)
