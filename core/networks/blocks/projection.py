"""A linear step from one width or resolution to another."""

from __future__ import annotations

from torch import Tensor, nn

from core.networks.blocks.base import BLOCKS, STRIDE, BlockKind, Count, Example
from core.networks.groups import UnitWalk


class Projection(nn.Module):
    """1x1 convolution with a stride, and BatchNorm; nothing else."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.arguments = {"in_channels": in_channels, "out_channels": out_channels, "stride": stride}
        self.conv = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x))


@BLOCKS.register("projection")
class ProjectionKind(BlockKind):
    """1x1 convolution with a stride, BatchNorm: what an identity becomes where the size changes."""

    label = "Projection"
    source = "He et al., ResNet, CVPR 2016 (option B)"
    module = Projection
    arguments = {"in_channels": Count(), "out_channels": Count(), "stride": STRIDE}
    sizes = {"in_channels": ("conv.weight", 1), "out_channels": ("conv.weight", 0)}
    foldable = (("conv", "norm"),)
    example = Example(
        (1, 6, 6),
        (
            ("Stem", {"in_channels": 1, "out_channels": 4, "kernel": 3, "stride": 1}),
            ("Projection", {"in_channels": 4, "out_channels": 6, "stride": 2}),
            ("PoolingHead", {"in_channels": 6, "classes": 3}),
        ),
    )

    def units(self, block: Projection, walk: UnitWalk) -> None:
        width = block.conv.out_channels
        walk.reads("conv.weight", block.conv.in_channels)
        walk.new_stream()
        walk.ends("conv", "norm", width)
