"""A transformer block on maps, which knows where positions lie from each other."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.config import Settings
from core.networks.blocks.base import BLOCKS, BlockKind, Count, Example, Shapes
from core.networks.groups import UnitWalk


class MapTransformerBlock(nn.Module):
    """Pre-norm attention and MLP on square maps (n, width, grid, grid), with hardswish.

    Values are wider than queries and pass through a 3x3 depthwise convolution; scores get an offset that is
    learned for each head and each distance between two positions.
    """

    index: Tensor

    def __init__(
        self, width: int, heads: int, head_size: int, value_size: int, hidden: int, grid: int
    ) -> None:
        super().__init__()
        self.arguments = {
            "width": width,
            "heads": heads,
            "head_size": head_size,
            "value_size": value_size,
            "hidden": hidden,
            "grid": grid,
        }
        self.heads, self.head_size, self.value_size = heads, head_size, value_size
        inner = heads * value_size
        self.norm1 = nn.GroupNorm(1, width)
        self.query = nn.Conv2d(width, heads * head_size, 1, bias=False)
        self.key = nn.Conv2d(width, heads * head_size, 1, bias=False)
        self.value = nn.Conv2d(width, inner, 1, bias=False)
        self.local = nn.Conv2d(inner, inner, 3, 1, 1, groups=inner, bias=False)
        self.distance = nn.Parameter(torch.zeros(heads, (2 * grid - 1) ** 2))
        self.project = nn.Conv2d(inner, width, 1)
        self.norm2 = nn.GroupNorm(1, width)
        self.expand = nn.Conv2d(width, hidden, 1)
        self.contract = nn.Conv2d(hidden, width, 1)
        rows = torch.arange(grid).repeat_interleave(grid)
        columns = torch.arange(grid).repeat(grid)
        down = rows[:, None] - rows[None] + grid - 1
        right = columns[:, None] - columns[None] + grid - 1
        self.register_buffer("index", down * (2 * grid - 1) + right, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        n, _, height, width = x.shape
        y = self.norm1(x)
        query = self.query(y).view(n, self.heads, self.head_size, height * width).transpose(2, 3)
        key = self.key(y).view(n, self.heads, self.head_size, height * width)
        value = self.local(self.value(y)).view(n, self.heads, self.value_size, height * width).transpose(2, 3)
        attention = (query @ key / self.head_size**0.5 + self.distance[:, self.index]).softmax(3)
        y = (attention @ value).transpose(2, 3).reshape(n, -1, height, width)
        x = x + self.project(F.hardswish(y))
        return x + self.contract(F.hardswish(self.expand(self.norm2(x))))


@BLOCKS.register("map_transformer_block")
class MapTransformerBlockKind(BlockKind):
    """Attention with wide, locally mixed values and offsets by distance; MLP; each beside a shortcut."""

    label = "Map transformer block"
    source = "Tang et al., ElasticViT, ICCV 2023; offsets by distance: Graham et al., LeViT, ICCV 2021"
    module = MapTransformerBlock
    attends = True
    arguments = {
        "width": Count(),
        "heads": Count(),
        "head_size": Count(),
        "value_size": Count(),
        "hidden": Count(),
        "grid": Count(32),
    }
    sizes = {"width": ("query.weight", 1), "hidden": ("expand.weight", 0)}
    embeddings = ("distance",)
    example = Example(
        (1, 5, 5),
        (
            ("Stem", {"in_channels": 1, "out_channels": 6, "kernel": 3, "stride": 2}),
            (
                "MapTransformerBlock",
                {"width": 6, "heads": 3, "head_size": 2, "value_size": 4, "hidden": 7, "grid": 3},
            ),
            ("PoolingHead", {"in_channels": 6, "classes": 3}),
        ),
    )

    def units(self, block: MapTransformerBlock, walk: UnitWalk) -> None:
        width = block.project.out_channels
        walk.averages("norm1", width)
        walk.averages("norm2", width)
        for name in ("query", "key", "value", "expand"):
            walk.reads(f"{name}.weight", width)
        for name in ("project", "contract"):
            walk.makes(f"{name}.weight", width)
            walk.scales([f"{name}.bias"], width)
        walk.shows(width)
        head, value = block.head_size, block.value_size
        walk.inner(
            "heads",
            block.heads,
            made=[("query.weight", 0, head), ("key.weight", 0, head), ("value.weight", 0, value)],
            scaled=[("local.weight", 0, value), ("distance", 0, 1)],
            read=[("project.weight", 0, value)],
            shown="local",
            repeat=value,
        )
        walk.inner(
            "hidden",
            block.expand.out_channels,
            made=["expand.weight"],
            scaled=["expand.bias"],
            read=["contract.weight"],
            shown="expand",
        )

    def fitting(self, block: MapTransformerBlock, shapes: Shapes) -> Settings:
        heads = int(shapes["query.weight"][0]) // block.head_size
        return super().fitting(block, shapes) | {"heads": heads}

    def droppable(self, block: MapTransformerBlock) -> bool:
        return True
