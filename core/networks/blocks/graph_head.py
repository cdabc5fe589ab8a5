"""The last block of a network for graphs."""

from __future__ import annotations

from torch import Tensor, nn

from core.networks.blocks.base import BLOCKS, BlockKind, Count, Example
from core.networks.groups import UnitWalk


class GraphHead(nn.Module):
    """LayerNorm and a linear layer, for each node."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.arguments = {"width": width, "classes": classes}
        self.norm = nn.LayerNorm(width)
        self.linear = nn.Linear(width, classes)

    def forward(self, inputs: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        x, _, _ = inputs
        return self.linear(self.norm(x))


@BLOCKS.register("graph_head")
class GraphHeadKind(BlockKind):
    """LayerNorm, linear layer, for each node."""

    label = "Graph head"
    source = "Kipf and Welling, 'Semi-supervised classification with graph convolutional networks', ICLR 2017"
    module = GraphHead
    arguments = {"width": Count(), "classes": Count()}
    sizes = {"width": ("linear.weight", 1)}
    example = Example(
        (4,),
        (("GraphStem", {"features": 4, "width": 5}), ("GraphHead", {"width": 5, "classes": 4})),
    )

    def units(self, block: GraphHead, walk: UnitWalk) -> None:
        walk.averages("norm", block.linear.in_features)
        walk.reads("linear.weight", block.linear.in_features)
