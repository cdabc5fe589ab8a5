"""The cell of NAS-Bench-201."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.config import Settings
from core.networks.blocks.base import BLOCKS, BlockKind, Count, Example, Names, Shapes
from core.networks.groups import UnitWalk, batch_norm
from core.spaces.cell_string import EDGES, OPERATIONS


class Cell(nn.Module):
    """Four nodes; each sums what its edges bring; a convolution is ReLU, convolution, BatchNorm.

    `operations` lists the edges 0-1, 0-2, 1-2, 0-3, 1-3, 2-3.
    """

    def __init__(self, channels: int, operations: list[str]) -> None:
        super().__init__()
        self.arguments = {"channels": channels, "operations": operations}
        self.operations = operations
        self.convs = nn.ModuleDict()
        for edge, operation in enumerate(operations):
            if operation.startswith("nor_conv"):
                kernel = 3 if operation == "nor_conv_3x3" else 1
                conv = nn.Conv2d(channels, channels, kernel, 1, kernel // 2, bias=False)
                self.convs[str(edge)] = nn.Sequential(nn.ReLU(), conv, nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        nodes = [x]
        edge = 0
        for node in (1, 2, 3):
            total = torch.zeros_like(x)
            for start in range(node):
                operation = self.operations[edge]
                if operation == "skip_connect":
                    total = total + nodes[start]
                elif operation == "avg_pool_3x3":
                    total = total + F.avg_pool2d(nodes[start], 3, 1, 1, count_include_pad=False)
                elif operation != "none":
                    total = total + self.convs[str(edge)](nodes[start])
                edge += 1
            nodes.append(total)
        return nodes[3]


@BLOCKS.register("cell")
class CellKind(BlockKind):
    """Four nodes, six edges with an operation each."""

    label = "NAS-Bench-201 cell"
    source = "Dong and Yang, 'NAS-Bench-201', ICLR 2020"
    module = Cell
    arguments = {"channels": Count(), "operations": Names(OPERATIONS, len(EDGES))}
    example = Example(
        (1, 6, 6),
        (
            ("CellStem", {"in_channels": 1, "channels": 5}),
            ("Cell", {"channels": 5, "operations": [*OPERATIONS, "nor_conv_3x3"]}),
            (
                "Cell",
                {
                    "channels": 5,
                    "operations": ["none", "skip_connect", "none", "avg_pool_3x3", "none", "none"],
                },
            ),
            ("CellHead", {"channels": 5, "classes": 3}),
        ),
    )

    def units(self, block: Cell, walk: UnitWalk) -> None:
        width: Any = block.arguments["channels"]
        for edge in block.convs:
            walk.reads(f"convs.{edge}.1.weight", width)
            walk.makes(f"convs.{edge}.1.weight", width)
            walk.scales(batch_norm(f"convs.{edge}.2"), width)
        walk.shows(width)

    def fitting(self, block: Cell, shapes: Shapes) -> Settings:
        # A cell without a convolution has no tensor that knows its width; the number is not used then.
        widths = [int(shape[0]) for name, shape in shapes.items() if name.endswith("1.weight")]
        arguments: dict[str, Any] = dict(block.arguments)
        return arguments | ({"channels": widths[0]} if widths else {})
