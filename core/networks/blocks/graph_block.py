"""The block of networks for graphs."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.base import BLOCKS, BlockKind, Count, Example
from core.networks.groups import UnitWalk


class GraphBlock(nn.Module):
    """Each node's mean over its neighbors, some hops far, then an MLP; behind a LayerNorm, beside a shortcut.

    One hop multiplies by the adjacency matrix with self-loops, normalized by the degrees on both sides.
    """

    def __init__(self, width: int, hidden: int, hops: int) -> None:
        super().__init__()
        self.arguments = {"width": width, "hidden": hidden, "hops": hops}
        self.hops = hops
        self.norm = nn.LayerNorm(width)
        self.expand = nn.Linear(width, hidden)
        self.contract = nn.Linear(hidden, width)

    def forward(self, inputs: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        x, edges, scale = inputs
        y = self.norm(x)
        for _ in range(self.hops):
            y = y * scale
            messages = y[edges[0]]
            y = y.scatter_add(0, edges[1][:, None].expand_as(messages), messages) * scale
        return x + self.contract(F.relu(self.expand(y))), edges, scale


@BLOCKS.register("graph_block")
class GraphBlockKind(BlockKind):
    """Hops over the edges of a graph and an MLP, behind a LayerNorm and beside a shortcut."""

    label = "Graph block"
    source = "Kipf and Welling, ICLR 2017; several hops: Wu et al., SGC, ICML 2019; pre-norm: Li et al., DeeperGCN, 2020"
    module = GraphBlock
    arguments = {"width": Count(), "hidden": Count(), "hops": Count(16)}
    sizes = {"width": ("expand.weight", 1), "hidden": ("expand.weight", 0)}
    example = Example(
        (4,),
        (
            ("GraphStem", {"features": 4, "width": 6}),
            ("GraphBlock", {"width": 6, "hidden": 7, "hops": 2}),
            ("GraphBlock", {"width": 6, "hidden": 5, "hops": 1}),
            ("GraphHead", {"width": 6, "classes": 3}),
        ),
    )

    def units(self, block: GraphBlock, walk: UnitWalk) -> None:
        width = block.norm.normalized_shape[0]
        walk.averages("norm", width)
        walk.reads("expand.weight", width)
        walk.makes("contract.weight", width)
        walk.scales(["contract.bias"], width)
        walk.shows(width)
        walk.inner(
            "hidden",
            block.expand.out_features,
            made=["expand.weight"],
            scaled=["expand.bias"],
            read=["contract.weight"],
            shown="expand",
        )

    def droppable(self, block: GraphBlock) -> bool:
        return True
