"""The first block of a network of cells."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from core.networks.blocks.base import BLOCKS, BlockKind, Count, Example
from core.networks.groups import UnitWalk


class CellStem(nn.Module):
    """Normalize the input by constants, then a 3x3 convolution and BatchNorm."""

    mean: Tensor
    std: Tensor

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.arguments = {"in_channels": in_channels, "channels": channels}
        self.register_buffer("mean", torch.zeros(1, in_channels, 1, 1))
        self.register_buffer("std", torch.ones(1, in_channels, 1, 1))
        self.conv = nn.Conv2d(in_channels, channels, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv((x - self.mean) / self.std))


@BLOCKS.register("cell_stem")
class CellStemKind(BlockKind):
    """Constants for normalization, 3x3 convolution, BatchNorm."""

    label = "Cell stem"
    source = "Dong and Yang, 'NAS-Bench-201', ICLR 2020"
    module: ClassVar[type[nn.Module]] = CellStem
    arguments = {"in_channels": Count(), "channels": Count()}
    sizes = {"channels": ("conv.weight", 0)}
    foldable = (("conv", "norm"),)
    offsets, positive = ("mean",), ("std",)
    example = Example(
        (2, 6, 6),
        (
            ("CellStem", {"in_channels": 2, "channels": 4}),
            ("CellHead", {"channels": 4, "classes": 3}),
        ),
    )

    def units(self, block: CellStem, walk: UnitWalk) -> None:
        width = block.conv.out_channels
        walk.ends("conv", "norm", width)

    def input_shape(self, block: CellStem) -> tuple[int, ...]:
        return (block.conv.in_channels, 32, 32)
