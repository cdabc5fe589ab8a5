"""The stem of ResNet-RS."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.base import BLOCKS, STRIDE, BlockKind, Count, Example
from core.networks.groups import UnitWalk


class DeepStem(nn.Module):
    """Normalize the input by constants, then three times 3x3 convolution, BatchNorm, ReLU, the first with the stride."""

    mean: Tensor
    std: Tensor

    def __init__(self, in_channels: int, first: int, second: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.arguments = {
            "in_channels": in_channels,
            "first": first,
            "second": second,
            "out_channels": out_channels,
            "stride": stride,
        }
        self.register_buffer("mean", torch.zeros(1, in_channels, 1, 1))
        self.register_buffer("std", torch.ones(1, in_channels, 1, 1))
        self.conv1 = nn.Conv2d(in_channels, first, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(first)
        self.conv2 = nn.Conv2d(first, second, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(second)
        self.conv3 = nn.Conv2d(second, out_channels, 3, 1, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm1(self.conv1((x - self.mean) / self.std)))
        x = F.relu(self.norm2(self.conv2(x)))
        return F.relu(self.norm3(self.conv3(x)))


@BLOCKS.register("deep_stem")
class DeepStemKind(BlockKind):
    """Constants for normalization, then three convolutions with BatchNorm and ReLU."""

    label = "Deep stem"
    source = "He et al., 'Bag of tricks', CVPR 2019 (ResNet-C); Bello et al., ResNet-RS, NeurIPS 2021"
    module = DeepStem
    arguments = {
        "in_channels": Count(),
        "first": Count(),
        "second": Count(),
        "out_channels": Count(),
        "stride": STRIDE,
    }
    sizes = {
        "first": ("conv1.weight", 0),
        "second": ("conv2.weight", 0),
        "out_channels": ("conv3.weight", 0),
    }
    foldable = (("conv1", "norm1"), ("conv2", "norm2"), ("conv3", "norm3"))
    offsets, positive = ("mean",), ("std",)
    example = Example(
        (2, 8, 8),
        (
            ("DeepStem", {"in_channels": 2, "first": 3, "second": 4, "out_channels": 5, "stride": 2}),
            ("PoolingHead", {"in_channels": 5, "classes": 3}),
        ),
    )

    def units(self, block: DeepStem, walk: UnitWalk) -> None:
        width = block.conv3.out_channels
        walk.between("first", block.conv1.out_channels, "conv1", "norm1", "conv2")
        walk.between("second", block.conv2.out_channels, "conv2", "norm2", "conv3")
        walk.ends("conv3", "norm3", width)

    def input_shape(self, block: DeepStem) -> tuple[int, ...]:
        return (block.conv1.in_channels, 32, 32)
