"""The first block of a network for graphs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from core.networks.blocks.base import BLOCKS, BlockKind, Count, Example
from core.networks.groups import UnitWalk


class GraphStem(nn.Module):
    """Features (n, f) and edges (2, e) to vectors (n, width), edges, and each node's 1 / sqrt(degree + 1)."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.arguments = {"features": features, "width": width}
        self.linear = nn.Linear(features, width)

    def forward(self, inputs: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        features, edges = inputs
        arriving = torch.ones_like(edges[1], dtype=features.dtype)
        degree = torch.ones_like(features[:, 0]).scatter_add(0, edges[1], arriving)
        return self.linear(features), edges, degree.rsqrt()[:, None]


@BLOCKS.register("graph_stem")
class GraphStemKind(BlockKind):
    """A linear layer on the features of each node; the graph is normalized."""

    label = "Graph stem"
    source = "Kipf and Welling, 'Semi-supervised classification with graph convolutional networks', ICLR 2017"
    module = GraphStem
    arguments = {"features": Count(100_000), "width": Count()}
    sizes = {"width": ("linear.weight", 0)}
    input_limits = (100_000,)
    one_batch = True
    example = Example(
        (4,),
        (("GraphStem", {"features": 4, "width": 5}), ("GraphHead", {"width": 5, "classes": 3})),
    )

    def units(self, block: GraphStem, walk: UnitWalk) -> None:
        width = block.linear.out_features
        walk.makes("linear.weight", width)
        walk.scales(["linear.bias"], width)
        walk.shows(width)

    def input_shape(self, block: GraphStem) -> tuple[int, ...]:
        return (block.linear.in_features,)

    def inputs(
        self, block: GraphStem, shape: Sequence[int], rows: int, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """A ring of nodes without features, or random features and some random edges beside the ring."""
        nodes = torch.arange(rows)
        ring = torch.stack([nodes, (nodes + 1) % rows])
        if generator is None:
            return torch.zeros(rows, *shape), torch.cat([ring, ring.flip(0)], 1)
        more = torch.randint(0, rows, (2, rows), generator=generator)
        pairs = torch.cat([ring, more], 1)
        return torch.rand(rows, *shape, generator=generator), torch.cat([pairs, pairs.flip(0)], 1)

    def takes(self, shape: Sequence[int]) -> str:
        return f"features (nodes, {shape[0]}) and edges (2, e), from and to, as one pair"
