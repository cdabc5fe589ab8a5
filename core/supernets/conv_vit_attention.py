"""The stages of ElasticViT that attend, and its head."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.map_transformer_block import MapTransformerBlock
from core.networks.blocks.mobile_head import MobileHead
from core.spaces import SearchSpace
from core.supernets.conv_vit_stages import MapStage, Place
from core.supernets.counting import Count
from core.supernets.drop_path import faded, thinned
from core.supernets.elastic_conv import ElasticConv
from core.supernets.elastic_conv1d import in_parts
from core.supernets.sliced import copy_linear, linear
from core.supernets.sliced_conv import convolved, copy_conv, fresh_conv
from core.supernets.stage_cost import StageCost
from core.supernets.statistics import EPSILON, ElasticBatchNorm, Statistics


class AttentionStage(MapStage):
    """One transformer block on maps; beyond the chosen depth it is the identity.

    Every head keeps the first numbers of its own values. Offsets are learned once for the largest map, by
    distance: a smaller map uses the middle of them.
    """

    def __init__(
        self,
        space: SearchSpace,
        place: Place,
        *,
        mlp_ratios: Sequence[int],
        value_scales: Sequence[int],
        head_size: int,
        grid: int,
    ) -> None:
        super().__init__(space, place, (f"mlp{place.stage}", f"value{place.stage}"))
        self.head_size, self.grid, self.most_value = head_size, grid, value_scales[-1] * head_size
        most, self.most_heads = place.most, place.most // head_size
        inner, hidden = self.most_heads * self.most_value, most * mlp_ratios[-1]
        self.norm1, self.norm2 = nn.GroupNorm(1, most), nn.GroupNorm(1, most)
        self.query, self.key_ = fresh_conv(most, most, 1), fresh_conv(most, most, 1)
        self.value = fresh_conv(most, inner, 1)
        self.local = fresh_conv(inner, inner, 3, groups=inner)
        self.distance = nn.Parameter(
            nn.init.trunc_normal_(torch.empty(self.most_heads, 2 * grid - 1, 2 * grid - 1), std=0.02)
        )
        self.project = fresh_conv(inner, most, 1, bias=True)
        self.expand, self.contract = (
            fresh_conv(most, hidden, 1, bias=True),
            fresh_conv(hidden, most, 1, bias=True),
        )

    def _sizes(self, arch: Sequence[int]) -> tuple[int, int, int, int, int]:
        """(width, heads, numbers of a value, hidden units, side of the map)."""
        s, width = self.place.stage, self.widths(arch)[1]
        value = int(self.option(arch, f"value{s}")) * self.head_size
        hidden = width * int(self.option(arch, f"mlp{s}"))
        return width, width // self.head_size, value, hidden, self.side(arch, self.place.after)

    def kept(self, heads: int, value: int) -> Tensor:
        """Which numbers of all heads' values so many heads with such values have."""
        chosen = in_parts(self.most_heads * self.most_value, self.most_heads, value, beside=self.value.weight)
        return chosen[: heads * value]

    def _offsets(self, heads: int, grid: int) -> Tensor:
        """(heads, (2 * grid - 1)²) learned offsets of a map of that side."""
        margin = self.grid - grid
        middle = slice(margin, margin + 2 * grid - 1)
        return self.distance[:heads, middle, middle].flatten(1)

    def _normalized(self, norm: nn.GroupNorm, x: Tensor) -> Tensor:
        width = x.shape[1]
        return F.group_norm(x, 1, norm.weight[:width], norm.bias[:width], norm.eps)

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        width, heads, value_size, hidden, grid = self._sizes(arch)
        n, kept, inner = x.shape[0], self.kept(heads, value_size), heads * self.head_size
        y = self._normalized(self.norm1, x)
        query = convolved(self.query, y, inner).view(n, heads, self.head_size, grid * grid).transpose(2, 3)
        key = convolved(self.key_, y, inner).view(n, heads, self.head_size, grid * grid)
        value = F.conv2d(y, self.value.weight[kept, :width])
        value = F.conv2d(value, self.local.weight[kept], padding=1, groups=len(kept))
        value = value.view(n, heads, value_size, grid * grid).transpose(2, 3)
        scores = query @ key / self.head_size**0.5 + self._offsets(heads, grid)[:, between(grid, x)]
        y = (scores.softmax(3) @ value).transpose(2, 3).reshape(n, -1, grid, grid)
        y = F.conv2d(F.hardswish(y), self.project.weight[:width, kept], self.project.bias[:width])  # type: ignore[index]
        x = x + thinned(y, arch, self.depth_share)
        inside = F.hardswish(convolved(self.expand, self._normalized(self.norm2, x), hidden))
        return x + thinned(convolved(self.contract, inside, width), arch, self.depth_share)

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        width, heads, value, hidden, grid = self._sizes(arch)
        kept = self.kept(heads, value)
        block = MapTransformerBlock(width, heads, self.head_size, value, hidden, grid)
        for own, norm in ((self.norm1, block.norm1), (self.norm2, block.norm2)):
            norm.weight.copy_(own.weight[:width])
            norm.bias.copy_(own.bias[:width])
        copy_conv(self.query, block.query)
        copy_conv(self.key_, block.key)
        block.value.weight.copy_(self.value.weight[kept, :width])
        block.local.weight.copy_(self.local.weight[kept])
        block.distance.copy_(self._offsets(heads, grid))
        block.project.weight.copy_(self.project.weight[:width, kept])
        block.project.bias.copy_(self.project.bias[:width])  # type: ignore[union-attr,index]
        copy_conv(self.expand, block.expand)
        copy_conv(self.contract, block.contract)
        return block

    def cost(self, arch: Sequence[int]) -> StageCost:
        width, heads, value, hidden, grid = self._sizes(arch)
        count, map_, inner = Count(), (grid, grid), heads * value
        x = count.given(width, map_)
        y = count.scaled(x)
        query, key = (count.conv(y, heads * self.head_size, 1) for _ in range(2))
        values = count.conv(count.conv(y, inner, 1), inner, 3, groups=inner)
        count.macs += heads * grid**4 * (self.head_size + value)
        count.params += heads * (2 * grid - 1) ** 2
        scores = count.over(count.made([query, key], heads, (grid,) * 4))
        offsets = count.made([], heads, (grid,) * 4)
        scores = count.over(count.over(scores, offsets))
        y = count.over(count.made([scores, values], inner, map_))
        x = count.over(count.conv(y, width, 1, bias=True), x)
        y = count.over(count.conv(count.scaled(x), hidden, 1, bias=True))
        x = count.over(count.conv(y, width, 1, bias=True), x)
        return self.described(arch, count, x, detail=f"{heads}h v{value // self.head_size}", kind="block")


def between(grid: int, beside: Tensor) -> Tensor:
    """(grid², grid²) which distance lies between two positions of a map, row by row; where the tensor is."""
    at = torch.arange(grid * grid, device=beside.device)
    down = at[:, None] // grid - at[None] // grid + grid - 1
    right = at[:, None] % grid - at[None] % grid + grid - 1
    return down * (2 * grid - 1) + right


class HeadStage(MapStage):
    """1x1 convolution, BatchNorm, hardswish, mean over the map, features, linear layer."""

    def __init__(self, space: SearchSpace, place: Place, *, ratio: int, features: int, classes: int) -> None:
        super().__init__(space, place)
        self.ratio, self.features, self.classes = ratio, features, classes
        most = place.most * ratio
        self.expand, self.norm = ElasticConv(place.most, most, (1,)), ElasticBatchNorm(most)
        self.mix = nn.Linear(most, features, bias=False)
        self.classifier = nn.Linear(features, classes)

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        wide = x.shape[1] * self.ratio
        y = F.hardswish(self.norm(self.expand(x, wide, 1), statistics)).mean((2, 3))
        y = F.hardswish(F.linear(y, self.mix.weight[:, :wide]))
        return linear(self.classifier, faded(y, arch), self.classes)

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        width = self.widths(arch)[1]
        wide = width * self.ratio
        block = MobileHead(width, wide, self.classes, "hardswish", EPSILON, self.features)
        self.expand.copy_to(block.expand)
        block.norm = self.norm.extract(wide, statistics)
        block.mix.weight.copy_(self.mix.weight[:, :wide])  # type: ignore[union-attr]
        copy_linear(self.classifier, block.classifier)
        return block

    def cost(self, arch: Sequence[int]) -> StageCost:
        width, side, count = self.widths(arch)[1], self.side(arch, self.place.after), Count()
        wide = width * self.ratio
        x = count.given(width, (side, side))
        y = count.mean(count.over(count.batch_norm(count.conv(x, wide, 1))))
        count.macs += wide * self.features
        count.params += wide * self.features
        y = count.linear(count.over(count.made([y], self.features)), self.classes)
        return StageCost.head(self.classes, count.counted(y))
