"""A small multi-stage vision transformer with elastic width, heads, MLP ratio and depth.

Only LayerNorm, so no subnet needs recalibration. Every smaller setting is a prefix of the largest:
the first channels of an embedding, the first heads (of fixed size), the first hidden units. Between
groups the grid of tokens is halved by a residual reduction.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from core.config import BaseConfig
from core.networks.blocks.patch_embedding import PatchEmbedding
from core.networks.blocks.token_head import TokenHead
from core.networks.blocks.token_reduction import TokenReduction
from core.spaces import Choice, SearchSpace
from core.spaces.choice import require_ascending, within_depth
from core.supernets.base import Stage, Supernet
from core.supernets.drop_path import faded
from core.supernets.families import FAMILIES
from core.supernets.masked import kept, only, whole
from core.supernets.orderable import Orderable
from core.supernets.ordering import orderable_of_blocks
from core.supernets.pre_norm_stage import PreNormStage
from core.supernets.sliced import copy_linear, copy_norm, linear, normalized
from core.supernets.stage_cost import StageCost, counts
from core.supernets.statistics import Statistics
from core.supernets.token_grids import bias_of, halved, pooled_residual
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
    masked = True

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
        width = kept(arch, self._width, self.conv.out_channels, x)
        made = whole(width)
        x = F.conv2d(
            (x - self.mean) / self.std, self.conv.weight[:made], bias_of(self.conv)[:made], self.patch
        )
        return only(x.flatten(2).transpose(1, 2) + self.position[:, :, :made], width)

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


class BlockStage(PreNormStage):
    """One transformer block; beyond the chosen depth it is the identity."""

    def __init__(
        self, space: SearchSpace, config: ElasticViTConfig, group: int, index: int, grid: int
    ) -> None:
        options = config.groups[group - 1]
        super().__init__(
            space,
            (f"block {group}.{index}", f"group {group}"),
            tokens=grid * grid,
            width=options.widths[-1],
            heads=options.heads,
            head_size=config.head_size,
            hidden=options.mlp_ratios[-1] * options.widths[-1],
        )
        self.group, self.index, self._ratios = group, index, options.mlp_ratios
        self._width_choice, self._depth_choice = f"width{group}", f"depth{group}"
        self._heads_choice, self._mlp_choice = f"heads{group}_{index}", f"mlp{group}_{index}"
        self.depends_on = (self._width_choice, self._depth_choice, self._heads_choice, self._mlp_choice)

    def width(self, arch: Sequence[int]) -> int:
        return int(self.option(arch, self._width_choice))

    def heads(self, arch: Sequence[int]) -> int:
        return int(self.option(arch, self._heads_choice))

    def hidden(self, arch: Sequence[int]) -> int:
        return self.width(arch) * int(self.option(arch, self._mlp_choice))

    def there(self, arch: Sequence[int]) -> bool:
        return int(self.option(arch, self._depth_choice)) >= self.index

    def hidden_options(self, width: int) -> list[int]:
        return [width * ratio for ratio in self._ratios]


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
        before, width = (
            kept(arch, partial(self._width, name=name), most, x)
            for name, most in (
                (self._in_choice, self.conv.in_channels),
                (self._out_choice, self.conv.out_channels),
            )
        )
        y = halved(self.conv, normalized(self.norm, x, before), self.grid, whole(width))
        pooled = pooled_residual(x, self.grid, whole(width))
        return only(y + pooled + self.position[:, :, : whole(width)], width)

    def _width(self, arch: Sequence[int], name: str) -> int:
        return int(self.option(arch, name))

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
        width = kept(arch, self._width, self.norm.normalized_shape[0], x)
        return linear(self.linear, faded(normalized(self.norm, x, width).mean(1), arch), self.classes)

    def _width(self, arch: Sequence[int]) -> int:
        return int(self.option(arch, self._width_choice))

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        head = TokenHead(self._width(arch), self.classes)
        copy_norm(self.norm, head.norm)
        copy_linear(self.linear, head.linear)
        return head

    def cost(self, arch: Sequence[int]) -> StageCost:
        width = self._width(arch)
        return StageCost.head(
            self.classes,
            counts(
                macs=width * self.classes,
                params=(width + 1) * self.classes + 2 * width,
                held_bytes=4 * (self.tokens * width + width + max(self.tokens * width, self.classes)),
            ),
        )
