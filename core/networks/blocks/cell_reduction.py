"""From one group of cells to the next: half the resolution."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from core.config import Settings
from core.networks.blocks.base import BLOCKS, BlockKind, Count, Example, Shapes
from core.networks.groups import UnitWalk


class CellReduction(nn.Module):
    """Halve the resolution and double the channels: two ReLU-convolution-BatchNorm, and a pooled shortcut."""

    def __init__(self, in_channels: int, channels: int, inner: int = 0) -> None:
        super().__init__()
        self.arguments = {"in_channels": in_channels, "channels": channels}
        if inner:
            self.arguments["inner"] = (
                inner  # channels between the convolutions, where they are not the output's
            )
        inner = inner or channels
        self.conv1 = nn.Conv2d(in_channels, inner, 3, 2, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, channels, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Conv2d(in_channels, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(self.conv1(F.relu(x)))
        y = self.norm2(self.conv2(F.relu(y)))
        return y + self.shortcut(F.avg_pool2d(x, 2, ceil_mode=True))


@BLOCKS.register("cell_reduction")
class CellReductionKind(BlockKind):
    """Two convolutions beside a shortcut that is pooled and has weights of its own."""

    label = "Cell reduction"
    source = "Dong and Yang, 'NAS-Bench-201', ICLR 2020"
    module = CellReduction
    arguments = {"in_channels": Count(), "channels": Count(), "inner": Count()}
    sizes = {"in_channels": ("conv1.weight", 1), "channels": ("conv2.weight", 0)}
    foldable = (("conv1", "norm1"), ("conv2", "norm2"))
    example = Example(
        (1, 6, 6),
        (
            ("CellStem", {"in_channels": 1, "channels": 3}),
            ("CellReduction", {"in_channels": 3, "channels": 6}),
            ("CellReduction", {"in_channels": 6, "channels": 4, "inner": 5}),
            ("CellHead", {"channels": 4, "classes": 3}),
        ),
    )

    def units(self, block: CellReduction, walk: UnitWalk) -> None:
        before, width = block.conv1.in_channels, block.conv2.out_channels
        walk.reads("conv1.weight", before)
        walk.reads("shortcut.weight", before)
        walk.between("inner", block.conv1.out_channels, "conv1", "norm1", "conv2")
        walk.new_stream()
        walk.makes("shortcut.weight", width)
        walk.ends("conv2", "norm2", width)

    def fitting(self, block: CellReduction, shapes: Shapes) -> Settings:
        found = super().fitting(block, shapes)
        found.pop("inner", None)
        inner = int(shapes["conv1.weight"][0])
        return found if inner == found["channels"] else found | {"inner": inner}
