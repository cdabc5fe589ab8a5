"""The first block of a network of NASNet cells."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.networks.blocks.base import BLOCKS, Example
from core.networks.blocks.cell_stem import CellStemKind


class NasnetStem(nn.Module):
    """Normalize the input by constants, then a 3x3 convolution and BatchNorm; handed on twice, as two cells' outputs."""

    mean: Tensor
    std: Tensor

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.arguments = {"in_channels": in_channels, "channels": channels}
        self.register_buffer("mean", torch.zeros(1, in_channels, 1, 1))
        self.register_buffer("std", torch.ones(1, in_channels, 1, 1))
        self.conv = nn.Conv2d(in_channels, channels, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = self.norm(self.conv((x - self.mean) / self.std))
        return y, y


@BLOCKS.register("nasnet_stem")
class NasnetStemKind(CellStemKind):
    """Constants for normalization, 3x3 convolution, BatchNorm; stands for the outputs of two cells."""

    label = "NASNet stem"
    source = "Zoph et al., NASNet, CVPR 2018"
    module = NasnetStem
    example = Example(
        (2, 6, 6),
        (
            ("NasnetStem", {"in_channels": 2, "channels": 4}),
            ("NasnetHead", {"in_channels": 4, "classes": 3}),
        ),
    )
