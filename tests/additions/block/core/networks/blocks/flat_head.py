"""A toy."""

from torch import Tensor, nn

from core.networks.blocks.base import BLOCKS, BlockKind, Count, Example
from core.networks.groups import UnitWalk


class FlatHead(nn.Module):
    """Sum over all positions, then a linear layer."""

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        self.arguments = {"in_channels": in_channels, "classes": classes}
        self.linear = nn.Linear(in_channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.sum((2, 3)))


@BLOCKS.register("flat_head")
class FlatHeadKind(BlockKind):
    """Sum, linear layer."""

    label = "Flat head"
    module = FlatHead
    arguments = {"in_channels": Count(), "classes": Count()}
    sizes = {"in_channels": ("linear.weight", 1)}
    example = Example(
        (1, 6, 6),
        (
            ("Stem", {"in_channels": 1, "out_channels": 4, "kernel": 3, "stride": 1}),
            ("FlatHead", {"in_channels": 4, "classes": 5}),
        ),
    )

    def units(self, block: FlatHead, walk: UnitWalk) -> None:
        walk.reads("linear.weight", block.linear.in_features)
