"""The last block of a network of NASNet cells."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.base import BLOCKS, BlockKind, Count, Example
from core.networks.groups import UnitWalk


class NasnetHead(nn.Module):
    """ReLU, mean over all positions of the last cell's output, linear layer."""

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        self.arguments = {"in_channels": in_channels, "classes": classes}
        self.linear = nn.Linear(in_channels, classes)

    def forward(self, outputs: tuple[Tensor, Tensor]) -> Tensor:
        return self.linear(F.relu(outputs[0]).mean((2, 3)))


@BLOCKS.register("nasnet_head")
class NasnetHeadKind(BlockKind):
    """ReLU, mean over all positions, linear layer, on the last of two outputs."""

    label = "NASNet head"
    source = "Zoph et al., NASNet, CVPR 2018"
    module = NasnetHead
    arguments = {"in_channels": Count(), "classes": Count()}
    sizes = {"in_channels": ("linear.weight", 1)}
    example = Example(
        (1, 4, 4),
        (
            ("NasnetStem", {"in_channels": 1, "channels": 4}),
            ("NasnetHead", {"in_channels": 4, "classes": 4}),
        ),
    )

    def units(self, block: NasnetHead, walk: UnitWalk) -> None:
        width = walk.width()
        for start in range(0, block.linear.in_features, width):
            walk.reads("linear.weight", width, start=start)
