"""A small graph network with elastic width, depth, hops and MLP ratio.

Residual blocks that look some hops far; only LayerNorm, so no subnet needs recalibration, and a node's
answer depends on the nodes within its reach alone. What flows is (vectors of the nodes, edges, each
node's normalization). Costs are those of one pass over the graph the supernet was trained on.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.graph_block import GraphBlock
from core.networks.blocks.graph_head import GraphHead
from core.networks.blocks.graph_stem import GraphStem
from core.spaces import Choice, SearchSpace
from core.spaces.choice import require_ascending, within_depth
from core.supernets.base import Stage, Supernet
from core.supernets.families import FAMILIES
from core.supernets.sliced import copy_linear, copy_norm, linear, normalized
from core.supernets.stage_cost import StageCost, counts
from core.supernets.statistics import Statistics
from core.tasks.base import InputConfig
from core.tasks.graph import GraphConfig
from core.words import count_of

Flow = tuple[Tensor, Tensor, Tensor]
"""Vectors (n, width), edges (2, e), and 1 / sqrt(degree + 1) of each node (n, 1)."""


def _flow(nodes: int, edges: int, width: int) -> int:
    """Bytes of what flows: a vector and a degree per node (float32), two ends per edge (int64)."""
    return 4 * nodes * (width + 1) + 16 * edges


class ElasticGCNConfig(GraphConfig):
    """An elastic graph network."""

    widths: tuple[int, ...] = Field((4, 8, 16, 32), description="Size of a node's vector.")
    depths: tuple[int, ...] = Field((1, 2, 3), description="Number of blocks.")
    hops: tuple[int, ...] = Field((1, 2), description="How far each block looks.")
    mlp_ratios: tuple[int, ...] = Field(
        (1, 2), description="Hidden units of each block's MLP, as a multiple of the width."
    )

    @model_validator(mode="after")
    def _ascending(self) -> ElasticGCNConfig:
        require_ascending(
            {label: getattr(self, label) for label in ("widths", "depths", "hops", "mlp_ratios")}
        )
        if self.widths[-1] > 1024 or self.depths[-1] > 16 or self.hops[-1] > 16 or self.mlp_ratios[-1] > 8:
            raise ValueError("a graph network has at most width 1,024, 16 blocks, 16 hops and MLP ratio 8")
        return self


def _space(config: ElasticGCNConfig) -> SearchSpace:
    choices = [
        Choice("width", config.widths, "width", unit="channels"),
        Choice("depth", config.depths, "depth", unit="blocks"),
    ]
    for b in range(1, config.depths[-1] + 1):
        requires = within_depth("depth", config.depths, b)
        choices.append(Choice(f"hops{b}", config.hops, "hops", unit="hops", requires=requires))
        choices.append(Choice(f"mlp{b}", config.mlp_ratios, "ratio", requires=requires))
    return SearchSpace(choices)


@FAMILIES.register("elastic_gcn")
class ElasticGCN(Supernet):
    """Residual graph convolutions with elastic width, depth, hops and MLP ratio."""

    label = "Elastic graph network"
    source = "Kipf and Welling, GCN, 2017 (normalized adjacency); Li et al., DeeperGCN, 2020 (pre-norm residual blocks)"
    Config = ElasticGCNConfig
    task_name = "graph"

    def __init__(self, config: ElasticGCNConfig) -> None:
        space = _space(config)
        blocks = [BlockStage(space, config, b) for b in range(1, config.depths[-1] + 1)]
        super().__init__(config, space, [StemStage(space, config), *blocks, HeadStage(space, config)])

    @classmethod
    def examples(cls) -> list[InputConfig]:
        return [ElasticGCNConfig(input_shape=(5,), classes=3, widths=(4, 6), nodes=40, edges=90)]


class StemStage(Stage):
    """A linear layer on the features of each node."""

    depends_on = ("width",)

    def __init__(self, space: SearchSpace, config: ElasticGCNConfig) -> None:
        super().__init__(space)
        self.nodes, self.edges = config.nodes, config.edges
        self.linear = nn.Linear(config.input_shape[0], config.widths[-1])

    def forward(
        self, x: tuple[Tensor, Tensor], arch: Sequence[int], statistics: Statistics | None = None
    ) -> Flow:
        features, edges = x
        arriving = torch.ones_like(edges[1], dtype=features.dtype)
        degree = torch.ones_like(features[:, 0]).scatter_add(0, edges[1], arriving)
        return linear(self.linear, features, int(self.option(arch, "width"))), edges, degree.rsqrt()[:, None]

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        block = GraphStem(self.linear.in_features, int(self.option(arch, "width")))
        copy_linear(self.linear, block.linear)
        return block

    def cost(self, arch: Sequence[int]) -> StageCost:
        width, features = int(self.option(arch, "width")), self.linear.in_features
        return StageCost(
            label="stem",
            group="stem",
            kind="stem",
            counted=counts(
                macs=self.nodes * features * width,
                params=(features + 1) * width,
                # Features and edges; each node's degree, counted over the edges, and its vector.
                held_bytes=_flow(self.nodes, self.edges, features) + 4 * max(self.edges, self.nodes * width),
            ),
            output_shape=(self.nodes, width),
            channels=width,
            detail=f"{features} features",
        )


class BlockStage(Stage):
    """Hops over the edges and an MLP; beyond the chosen depth it is the identity."""

    def __init__(self, space: SearchSpace, config: ElasticGCNConfig, index: int) -> None:
        super().__init__(space)
        self.index, self.nodes, self.edges = index, config.nodes, config.edges
        self._hops_choice, self._mlp_choice = f"hops{index}", f"mlp{index}"
        self.depends_on = ("width", "depth", self._hops_choice, self._mlp_choice)
        width = config.widths[-1]
        hidden = config.mlp_ratios[-1] * width
        self.norm = nn.LayerNorm(width)
        self.expand, self.contract = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def key(self, arch: Sequence[int]) -> Hashable:
        if int(self.option(arch, "depth")) < self.index:
            return None
        return self._sizes(arch)[1:]

    def _sizes(self, arch: Sequence[int]) -> tuple[int, int, int]:
        """(width, hidden units, hops)."""
        width = int(self.option(arch, "width"))
        hidden = width * int(self.option(arch, self._mlp_choice))
        return width, hidden, int(self.option(arch, self._hops_choice))

    def forward(self, x: Flow, arch: Sequence[int], statistics: Statistics | None = None) -> Flow:
        vectors, edges, scale = x
        width, hidden, hops = self._sizes(arch)
        y = normalized(self.norm, vectors)
        for _ in range(hops):
            y = y * scale
            messages = y[edges[0]]
            # Added to the node's own vector: every node is its own neighbor as well.
            y = y.scatter_add(0, edges[1][:, None].expand_as(messages), messages) * scale
        inside = F.relu(linear(self.expand, y, hidden))
        return vectors + linear(self.contract, inside, width), edges, scale

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        block = GraphBlock(*self._sizes(arch))
        copy_norm(self.norm, block.norm)
        copy_linear(self.expand, block.expand)
        copy_linear(self.contract, block.contract)
        return block

    def cost(self, arch: Sequence[int]) -> StageCost:
        width, hidden, hops = self._sizes(arch)
        messages = hops * (self.edges + self.nodes) * width
        return StageCost(
            label=f"block {self.index}",
            group="blocks",
            kind="block",
            counted=counts(
                macs=self.nodes * 2 * width * hidden + messages,
                params=2 * width * hidden + hidden + 3 * width,
                # Beside what flows, the normalized vectors and either a message per edge or the hidden units.
                held_bytes=_flow(self.nodes, self.edges, width)
                + 4 * self.nodes * width
                + 4 * max(self.edges * width, self.nodes * hidden),
            ),
            output_shape=(self.nodes, width),
            channels=width,
            detail=count_of(hops, "hop"),
        )


class HeadStage(Stage):
    """LayerNorm, linear layer, for each node."""

    def __init__(self, space: SearchSpace, config: ElasticGCNConfig) -> None:
        super().__init__(space)
        self.depends_on = ("width",)
        self.classes, self.nodes, self.edges = config.classes, config.nodes, config.edges
        self.norm = nn.LayerNorm(config.widths[-1])
        self.linear = nn.Linear(config.widths[-1], config.classes)

    def forward(self, x: Flow, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        vectors, _, _ = x
        return linear(self.linear, normalized(self.norm, vectors), self.classes)

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        head = GraphHead(int(self.option(arch, "width")), self.classes)
        copy_norm(self.norm, head.norm)
        copy_linear(self.linear, head.linear)
        return head

    def cost(self, arch: Sequence[int]) -> StageCost:
        width = int(self.option(arch, "width"))
        return StageCost(
            label="head",
            group="head",
            kind="head",
            counted=counts(
                macs=self.nodes * width * self.classes,
                params=(width + 1) * self.classes + 2 * width,
                held_bytes=_flow(self.nodes, self.edges, width) + 4 * self.nodes * (width + self.classes),
            ),
            output_shape=(self.nodes, self.classes),
            channels=self.classes,
        )
