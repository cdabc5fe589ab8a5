"""The last block of a network of cells."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.base import BLOCKS, BlockKind, Count, Example
from core.networks.groups import UnitWalk, batch_norm


class CellHead(nn.Module):
    """BatchNorm, ReLU, mean over all positions, linear layer."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.arguments = {"channels": channels, "classes": classes}
        self.norm = nn.BatchNorm2d(channels)
        self.linear = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(F.relu(self.norm(x)).mean((2, 3)))


@BLOCKS.register("cell_head")
class CellHeadKind(BlockKind):
    """BatchNorm, ReLU, mean over all positions, linear layer."""

    label = "Cell head"
    source = "Dong and Yang, 'NAS-Bench-201', ICLR 2020"
    module = CellHead
    arguments = {"channels": Count(), "classes": Count()}
    sizes = {"channels": ("linear.weight", 1)}
    example = Example(
        (1, 4, 4),
        (
            ("CellStem", {"in_channels": 1, "channels": 4}),
            ("CellHead", {"channels": 4, "classes": 4}),
        ),
    )

    def units(self, block: CellHead, walk: UnitWalk) -> None:
        walk.scales(batch_norm("norm"), block.linear.in_features)
        walk.reads("linear.weight", block.linear.in_features)
