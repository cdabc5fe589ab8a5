"""A small multi-stage vision transformer with elastic width, heads, MLP ratio and depth.

Only LayerNorm, so no subnet needs recalibration. Every smaller setting is a prefix of the largest:
the first channels of an embedding, the first heads (of fixed size), the first hidden units. Between
groups the grid of tokens is halved by a residual reduction.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from core.config import BaseConfig
from core.networks.blocks.patch_embedding import PatchEmbedding
from core.networks.blocks.token_head import TokenHead
from core.networks.blocks.token_reduction import TokenReduction
from core.networks.blocks.transformer_block import TransformerBlock
from core.spaces import Choice, SearchSpace
from core.spaces.choice import require_ascending, within_depth
from core.supernets.attention import Attention
from core.supernets.base import Stage, Supernet
from core.supernets.drop_path import faded, thinned
from core.supernets.families import FAMILIES
from core.supernets.orderable import Orderable
from core.supernets.ordering import orderable_of_blocks
from core.supernets.sliced import copy_linear, copy_norm, held_by_attention, linear, normalized
from core.supernets.stage_cost import StageCost, counts
from core.supernets.statistics import Statistics
from core.tasks.base import InputConfig
from core.tasks.image import ImageConfig


class TokenGroupConfig(BaseConfig):
    """Options of one group of blocks on one grid of tokens."""

    widths: tuple[int, ...] = Field(description="Size of a token.")
    depths: tuple[int, ...] = Field((1, 2), description="Number of blocks.")
    heads: tuple[int, ...] = Field((1, 2), description="Attention heads of each block.")
    mlp_ratios: tuple[int, ...] = Field(
        (1, 2), description="Hidden units of each block's MLP, as a multiple of the width."
    )

    @model_validator(mode="after")
    def _ascending(self) -> TokenGroupConfig:
        require_ascending(dict(self))
        if self.widths[-1] > 1024 or self.depths[-1] > 16 or self.heads[-1] > 32 or self.mlp_ratios[-1] > 8:
            raise ValueError("a group has at most width 1,024, 16 blocks, 32 heads and MLP ratio 8")
        return self


class ElasticViTConfig(ImageConfig):
    """An elastic vision transformer."""

    groups: tuple[TokenGroupConfig, ...] = Field(
        (TokenGroupConfig(widths=(8, 16, 24)), TokenGroupConfig(widths=(16, 24, 32))),
        min_length=1,
        max_length=4,
        description="Groups of blocks; the grid of tokens halves from one to the next.",
    )
    patch: int = Field(2, ge=1, le=16, description="Side of a patch in pixels.")
    head_size: int = Field(8, ge=1, le=128, description="Size of an attention head.")

    @model_validator(mode="after")
    def _fits(self) -> ElasticViTConfig:
        _, height, width = self.input_shape
        if height != width or height % self.patch:
            raise ValueError("images must be square, with a side that is a multiple of the patch")
        return self


def _space(config: ElasticViTConfig) -> SearchSpace:
    choices: list[Choice] = []
    for g, group in enumerate(config.groups, start=1):
        choices.append(Choice(f"width{g}", group.widths, "width", unit="channels"))
        choices.append(Choice(f"depth{g}", group.depths, "depth", unit="blocks"))
        for b in range(1, group.depths[-1] + 1):
            requires = within_depth(f"depth{g}", group.depths, b)
            choices.append(Choice(f"heads{g}_{b}", group.heads, "heads", unit="heads", requires=requires))
            choices.append(Choice(f"mlp{g}_{b}", group.mlp_ratios, "ratio", requires=requires))
    return SearchSpace(choices)


@FAMILIES.register("elastic_vit")
class ElasticViT(Supernet):
    """Multi-stage vision transformer with elastic width, heads, MLP ratio and depth."""

    label = "Elastic vision transformer"
    source = "Inspired by Liao et al., ViT-ResNAS, 2021 (token reduction, LayerNorm; prefix slices instead of masks)"
    Config = ElasticViTConfig
    task_name = "image"

    def __init__(self, config: ElasticViTConfig) -> None:
        space = _space(config)
        grid = config.input_shape[1] // config.patch
        stages: list[Stage] = [EmbeddingStage(space, config, grid)]
        for g, group in enumerate(config.groups, start=1):
            if g > 1:
                stages.append(ReductionStage(space, config, g, grid))
                grid = (grid + 1) // 2
            stages += [BlockStage(space, config, g, b, grid) for b in range(1, group.depths[-1] + 1)]
        stages.append(HeadStage(space, config, grid**2))
        super().__init__(config, space, stages)

    def orderable(self) -> list[Orderable]:
        return orderable_of_blocks(self, {"key": "key_"})

    @classmethod
    def examples(cls) -> list[InputConfig]:
        # 14 halves to 7: an odd map or grid of tokens.
        return [cls.example((1, 8, 8)), cls.example((3, 14, 14))]

    @classmethod
    def example(cls, input_shape: tuple[int, int, int]) -> ElasticViTConfig:
        """A small configuration for images (c, h, w) of this shape."""
        groups = (
            TokenGroupConfig(widths=(4, 6)),
            TokenGroupConfig(widths=(5, 8), depths=(1, 2, 3), heads=(1, 3)),
        )
        side = input_shape[1]
        patch = next(p for p in (2, 4, 1) if side % p == 0)
        mean, std = (0.3,) * input_shape[0], (0.4,) * input_shape[0]
        return ElasticViTConfig(
            input_shape=input_shape, groups=groups, patch=patch, head_size=3, pixel_mean=mean, pixel_std=std
        )


def bias_of(layer: nn.Conv2d) -> Tensor:
    assert layer.bias is not None
    return layer.bias


class EmbeddingStage(Stage):
    """Patches to tokens."""

    depends_on = ("width1",)
    mean: Tensor
    std: Tensor

    def __init__(self, space: SearchSpace, config: ElasticViTConfig, grid: int) -> None:
        super().__init__(space)
        self.in_channels, self.patch, self.grid = config.input_shape[0], config.patch, grid
        self.in_numbers = math.prod(config.input_shape)
        widest = config.groups[0].widths[-1]
        self.register_buffer("mean", torch.tensor(config.pixel_mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config.pixel_std).view(1, -1, 1, 1), persistent=False)
        self.conv = nn.Conv2d(self.in_channels, widest, self.patch, self.patch)
        self.position = nn.Parameter(nn.init.normal_(torch.empty(1, grid * grid, widest), std=0.02))

    def _width(self, arch: Sequence[int]) -> int:
        return int(self.option(arch, "width1"))

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        width = self._width(arch)
        x = F.conv2d(
            (x - self.mean) / self.std, self.conv.weight[:width], bias_of(self.conv)[:width], self.patch
        )
        return x.flatten(2).transpose(1, 2) + self.position[:, :, :width]

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        width = self._width(arch)
        block = PatchEmbedding(self.in_channels, width, self.patch, self.grid**2)
        block.mean.copy_(self.mean)
        block.std.copy_(self.std)
        block.conv.weight.copy_(self.conv.weight[:width])
        bias_of(block.conv).copy_(bias_of(self.conv)[:width])
        block.position.copy_(self.position[:, :, :width])
        return block

    def cost(self, arch: Sequence[int]) -> StageCost:
        width, tokens = self._width(arch), self.grid**2
        weights = self.in_channels * self.patch**2 * width
        return StageCost(
            label="patches",
            group="stem",
            kind="stem",
            output_shape=(tokens, width),
            channels=width,
            counted=counts(
                macs=weights * tokens,
                params=weights + width + tokens * width,
                # The input, normalized, and the tokens.
                held_bytes=4 * (2 * self.in_numbers + tokens * width),
                buffer_bytes=8 * self.in_channels,
            ),
            detail=f"{self.patch}x{self.patch}",
        )


class BlockStage(Stage):
    """One transformer block; beyond the chosen depth it is the identity."""

    attends = True

    def __init__(
        self, space: SearchSpace, config: ElasticViTConfig, group: int, index: int, grid: int
    ) -> None:
        super().__init__(space)
        options = config.groups[group - 1]
        self.group, self.index, self.tokens, self.head_size = group, index, grid * grid, config.head_size
        self._width_choice, self._depth_choice = f"width{group}", f"depth{group}"
        self._heads_choice, self._mlp_choice = f"heads{group}_{index}", f"mlp{group}_{index}"
        self.depends_on = (self._width_choice, self._depth_choice, self._heads_choice, self._mlp_choice)
        width = options.widths[-1]
        attention, hidden = options.heads[-1] * config.head_size, options.mlp_ratios[-1] * width
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key_ = nn.Linear(width, attention), nn.Linear(width, attention)
        self.value, self.project = nn.Linear(width, attention), nn.Linear(attention, width)
        self.expand, self.contract = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def key(self, arch: Sequence[int]) -> Hashable:
        if int(self.option(arch, self._depth_choice)) < self.index:
            return None
        return self._sizes(arch)[1:]

    def _sizes(self, arch: Sequence[int]) -> tuple[int, int, int]:
        """(width, heads, hidden units)."""
        width = int(self.option(arch, self._width_choice))
        return (
            width,
            int(self.option(arch, self._heads_choice)),
            width * int(self.option(arch, self._mlp_choice)),
        )

    def attention(self, x: Tensor, arch: Sequence[int]) -> Attention:
        y, inner = normalized(self.norm1, x), self._sizes(arch)[1] * self.head_size
        return Attention(*(linear(layer, y, inner) for layer in (self.query, self.key_, self.value)))

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        width, heads, hidden = self._sizes(arch)
        made = self.attention(x, arch)
        shape = (x.shape[0], x.shape[1], heads, self.head_size)
        query, key = made.query.view(shape).transpose(1, 2), made.key.view(shape).permute(0, 2, 3, 1)
        value = made.value.view(shape).transpose(1, 2)
        attention = (query @ key / self.head_size**0.5).softmax(3)
        y = linear(self.project, (attention @ value).transpose(1, 2).flatten(2), width)
        x = x + thinned(y, arch, self.depth_share)
        y = linear(self.contract, F.gelu(linear(self.expand, normalized(self.norm2, x), hidden)), width)
        return x + thinned(y, arch, self.depth_share)

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        width, heads, hidden = self._sizes(arch)
        block = TransformerBlock(width, heads, self.head_size, hidden)
        for name in ("query", "value", "project", "expand", "contract"):
            copy_linear(getattr(self, name), getattr(block, name))
        copy_linear(self.key_, block.key)
        copy_norm(self.norm1, block.norm1)
        copy_norm(self.norm2, block.norm2)
        return block

    def cost(self, arch: Sequence[int]) -> StageCost:
        width, heads, hidden = self._sizes(arch)
        inner = heads * self.head_size
        weights = 4 * width * inner + 2 * width * hidden
        products = 2 * self.tokens * inner  # queries with keys, attention with values, per token
        biases = 3 * inner + width + hidden + width + 4 * width
        return StageCost(
            label=f"block {self.group}.{self.index}",
            group=f"group {self.group}",
            kind="block",
            output_shape=(self.tokens, width),
            channels=width,
            counted=counts(
                macs=self.tokens * (weights + products),
                params=weights + biases,
                held_bytes=4 * held_by_attention(self.tokens, width, heads=heads, inner=inner, hidden=hidden),
            ),
            detail=f"{heads}h",
        )


class ReductionStage(Stage):
    """From one grid of tokens to the next, half as fine."""

    def __init__(self, space: SearchSpace, config: ElasticViTConfig, group: int, grid: int) -> None:
        super().__init__(space)
        self.group, self.grid = group, grid
        self._in_choice, self._out_choice = f"width{group - 1}", f"width{group}"
        self.depends_on = (self._in_choice, self._out_choice)
        most_in, most = config.groups[group - 2].widths[-1], config.groups[group - 1].widths[-1]
        self.norm = nn.LayerNorm(most_in)
        self.conv = nn.Conv2d(most_in, most, 3, 2, 1)
        self.position = nn.Parameter(nn.init.normal_(torch.empty(1, ((grid + 1) // 2) ** 2, most), std=0.02))

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        in_width, width = x.shape[2], int(self.option(arch, self._out_choice))
        shape = (x.shape[0], in_width, self.grid, self.grid)
        y = normalized(self.norm, x).transpose(1, 2).reshape(shape)
        y = (
            F.conv2d(y, self.conv.weight[:width, :in_width], bias_of(self.conv)[:width], 2, 1)
            .flatten(2)
            .transpose(1, 2)
        )
        pooled = F.avg_pool2d(x.transpose(1, 2).reshape(shape), 2, ceil_mode=True).flatten(2).transpose(1, 2)
        if width > in_width:
            pooled = F.pad(pooled, (0, width - in_width))
        return y + pooled[:, :, :width] + self.position[:, :, :width]

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        in_width, width = int(self.option(arch, self._in_choice)), int(self.option(arch, self._out_choice))
        block = TokenReduction(in_width, width, self.grid)
        copy_norm(self.norm, block.norm)
        block.conv.weight.copy_(self.conv.weight[:width, :in_width])
        bias_of(block.conv).copy_(bias_of(self.conv)[:width])
        block.position.copy_(self.position[:, :, :width])
        return block

    def cost(self, arch: Sequence[int]) -> StageCost:
        in_width, width = int(self.option(arch, self._in_choice)), int(self.option(arch, self._out_choice))
        tokens, weights = ((self.grid + 1) // 2) ** 2, 9 * in_width * width
        return StageCost(
            label=f"reduction {self.group}",
            group=f"group {self.group}",
            kind="reduction",
            output_shape=(tokens, width),
            channels=width,
            counted=counts(
                macs=weights * tokens,
                params=weights + width + 2 * in_width + tokens * width,
                held_bytes=4 * self._held(in_width, width),
            ),
            detail="k3",
        )

    def _held(self, in_width: int, width: int) -> int:
        """Numbers alive at once: the input, and beside it either the normalized one or what the shortcut becomes."""
        before, tokens = self.grid**2 * in_width, ((self.grid + 1) // 2) ** 2
        shortcut = tokens * (in_width + (width if width > in_width else 0))
        return before + tokens * width + max(before, shortcut)


class HeadStage(Stage):
    """LayerNorm, mean over tokens, linear layer."""

    def __init__(self, space: SearchSpace, config: ElasticViTConfig, tokens: int) -> None:
        super().__init__(space)
        self._width_choice = f"width{len(config.groups)}"
        self.depends_on = (self._width_choice,)
        self.classes, self.tokens = config.classes, tokens
        self.norm = nn.LayerNorm(config.groups[-1].widths[-1])
        self.linear = nn.Linear(config.groups[-1].widths[-1], config.classes)

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        return linear(self.linear, faded(normalized(self.norm, x).mean(1), arch), self.classes)

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        head = TokenHead(int(self.option(arch, self._width_choice)), self.classes)
        copy_norm(self.norm, head.norm)
        copy_linear(self.linear, head.linear)
        return head

    def cost(self, arch: Sequence[int]) -> StageCost:
        width = int(self.option(arch, self._width_choice))
        return StageCost.head(
            self.classes,
            counts(
                macs=width * self.classes,
                params=(width + 1) * self.classes + 2 * width,
                held_bytes=4 * (self.tokens * width + width + max(self.tokens * width, self.classes)),
            ),
        )
