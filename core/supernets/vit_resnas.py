"""ViT-ResNAS: a vision transformer in stages of elastic blocks, whose grid of tokens halves by a residual reduction.

A class token goes through all stages and answers. Each stage has a width; each block its number of heads (of a size
fixed per stage) and of hidden units, and every second block may be left out. Only LayerNorm, so no subnet needs
recalibration, and one pass may train an architecture per image (`core.supernets.masked`).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from core.config import BaseConfig
from core.networks.blocks.class_token_reduction import ClassTokenReduction
from core.spaces import Choice, SearchSpace
from core.spaces.choice import require_ascending
from core.supernets.base import Stage, Supernet
from core.supernets.class_token_stages import ClassTokenEmbeddingStage, ClassTokenHeadStage
from core.supernets.families import FAMILIES
from core.supernets.masked import kept, only, whole
from core.supernets.orderable import Orderable
from core.supernets.ordering import orderable_of_blocks
from core.supernets.pre_norm_stage import PreNormStage
from core.supernets.sliced import copy_linear, copy_norm, linear, normalized
from core.supernets.stage_cost import StageCost, counts
from core.supernets.statistics import Statistics
from core.supernets.token_grids import bias_of, fitted, halved, pooled_residual
from core.tasks.base import InputConfig
from core.tasks.image import ImageConfig

_LEFT_OUT, _THERE = 0, 1


class TokenStageConfig(BaseConfig):
    """Options of one stage: blocks on one grid of tokens."""

    widths: tuple[int, ...] = Field((16, 24, 32), description="Size of a token's vector.")
    blocks: int = Field(2, ge=1, le=16, description="Number of blocks; every second one may be left out.")
    heads: tuple[int, ...] = Field((2, 4), description="Attention heads of each block.")
    head_size: int = Field(8, ge=1, le=128, description="Size of an attention head.")
    hidden: tuple[int, ...] = Field((48, 64, 96), description="Hidden units of each block's MLP.")

    @model_validator(mode="after")
    def _sizes(self) -> TokenStageConfig:
        require_ascending({label: getattr(self, label) for label in ("widths", "heads", "hidden")})
        if self.widths[-1] > 1024 or self.heads[-1] > 32 or self.hidden[-1] > 8192:
            raise ValueError("a stage has at most width 1,024, 32 heads and 8,192 hidden units")
        return self


class ViTResNASConfig(ImageConfig):
    """A vision transformer in stages."""

    stages: tuple[TokenStageConfig, ...] = Field(
        (
            TokenStageConfig(),
            TokenStageConfig(widths=(32, 48, 64), heads=(2, 4), head_size=12, hidden=(96, 128, 192)),
        ),
        min_length=1,
        max_length=4,
        description="Stages of blocks; the grid of tokens halves from one to the next.",
    )
    patch: int = Field(2, ge=1, le=16, description="Side of a patch in pixels.")

    @model_validator(mode="after")
    def _fits(self) -> ViTResNASConfig:
        _, height, width = self.input_shape
        if height != width or height % self.patch:
            raise ValueError("images must be square, with a side that is a multiple of the patch")
        return self


def _space(config: ViTResNASConfig) -> SearchSpace:
    choices: list[Choice] = []
    for s, stage in enumerate(config.stages, start=1):
        choices.append(Choice(f"width{s}", stage.widths, "width", unit="channels"))
        for b in range(1, stage.blocks + 1):
            requires = None
            if b % 2 == 0:
                choices.append(Choice(f"block{s}_{b}", (_LEFT_OUT, _THERE), "depth", unit="blocks"))
                requires = (f"block{s}_{b}", (_THERE,))
            choices.append(Choice(f"heads{s}_{b}", stage.heads, "heads", unit="heads", requires=requires))
            choices.append(Choice(f"hidden{s}_{b}", stage.hidden, "hidden", unit="units", requires=requires))
    return SearchSpace(choices)


@FAMILIES.register("vit_resnas")
class ViTResNAS(Supernet):
    """Multi-stage vision transformer with a class token, elastic widths, heads and hidden units, and blocks left out."""

    label = "ViT-ResNAS"
    source = (
        "Liao et al., Searching for Efficient Multi-Stage Vision Transformers (ViT-ResNAS), 2021 (at odd grids the "
        "reduction rounds up, so that images of any size can be halved)"
    )
    Config = ViTResNASConfig
    task_name = "image"
    masked = True

    def __init__(self, config: ViTResNASConfig) -> None:
        space, grid = _space(config), config.input_shape[1] // config.patch
        first, last = config.stages[0], config.stages[-1]
        stages: list[Stage] = [
            ClassTokenEmbeddingStage(space, "width1", first.widths[-1], config, patch=config.patch, tokens=1)
        ]
        for s, stage in enumerate(config.stages, start=1):
            if s > 1:
                stages.append(ReductionStage(space, config, s, grid))
                grid = (grid + 1) // 2
            stages += [BlockStage(space, stage, s, b, grid) for b in range(1, stage.blocks + 1)]
        stages.append(
            ClassTokenHeadStage(
                space,
                f"width{len(config.stages)}",
                last.widths[-1],
                classes=config.classes,
                tokens=1 + grid**2,
            )
        )
        super().__init__(config, space, stages)

    def orderable(self) -> list[Orderable]:
        return orderable_of_blocks(self, {"key": "key_"})

    @classmethod
    def examples(cls) -> list[InputConfig]:
        # 14 halves to 7: an odd grid of tokens.
        return [cls.example((1, 8, 8)), cls.example((3, 14, 14))]

    @classmethod
    def example(cls, input_shape: tuple[int, int, int]) -> ViTResNASConfig:
        """A small configuration for images (c, h, w) of this shape."""
        stages = (
            TokenStageConfig(widths=(4, 6), heads=(1, 2), head_size=3, hidden=(5, 8, 9)),
            TokenStageConfig(widths=(5, 8), blocks=3, heads=(1, 3), head_size=2, hidden=(6, 10)),
        )
        side = input_shape[1]
        patch = next(p for p in (2, 4, 1) if side % p == 0)
        mean, std = (0.3,) * input_shape[0], (0.4,) * input_shape[0]
        return ViTResNASConfig(
            input_shape=input_shape, stages=stages, patch=patch, pixel_mean=mean, pixel_std=std
        )


class BlockStage(PreNormStage):
    """One transformer block; the identity where it is left out."""

    def __init__(
        self, space: SearchSpace, config: TokenStageConfig, stage: int, index: int, grid: int
    ) -> None:
        super().__init__(
            space,
            (f"block {stage}.{index}", f"stage {stage}"),
            tokens=1 + grid**2,
            width=config.widths[-1],
            heads=config.heads,
            head_size=config.head_size,
            hidden=config.hidden[-1],
        )
        self._options, self._optional = config.hidden, f"block{stage}_{index}"
        self._width_choice = f"width{stage}"
        self._heads_choice, self._hidden_choice = f"heads{stage}_{index}", f"hidden{stage}_{index}"
        optional = (self._optional,) if self._optional in space.position else ()
        self.depends_on = (self._width_choice, *optional, self._heads_choice, self._hidden_choice)

    def width(self, arch: Sequence[int]) -> int:
        return int(self.option(arch, self._width_choice))

    def heads(self, arch: Sequence[int]) -> int:
        return int(self.option(arch, self._heads_choice))

    def hidden(self, arch: Sequence[int]) -> int:
        return int(self.option(arch, self._hidden_choice))

    def there(self, arch: Sequence[int]) -> bool:
        return self._optional not in self.space.position or self.option(arch, self._optional) == _THERE

    def hidden_options(self, width: int) -> tuple[int, ...]:
        return self._options


class ReductionStage(Stage):
    """From one grid of tokens to the next, half as fine, and the class token from one width to the next."""

    def __init__(self, space: SearchSpace, config: ViTResNASConfig, stage: int, grid: int) -> None:
        super().__init__(space)
        self.stage, self.grid = stage, grid
        self.depends_on = (f"width{stage - 1}", f"width{stage}")
        before, most = config.stages[stage - 2].widths[-1], config.stages[stage - 1].widths[-1]
        self.norm = nn.LayerNorm(before)
        self.conv = nn.Conv2d(before, most, 3, 2, 1)
        self.linear = nn.Linear(before, most)
        self.position = nn.Parameter(nn.init.normal_(torch.empty(1, self.new_grid**2, most), std=0.02))

    @property
    def new_grid(self) -> int:
        """Side of the new grid."""
        return (self.grid + 1) // 2

    def _widths(self, arch: Sequence[int]) -> tuple[int, int]:
        """Of a vector, before and after."""
        before, after = (int(self.option(arch, name)) for name in self.depends_on)
        return before, after

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        before = kept(arch, lambda each: self._widths(each)[0], self.conv.in_channels, x)
        after = kept(arch, lambda each: self._widths(each)[1], self.conv.out_channels, x)
        made = whole(after)
        y = normalized(self.norm, x, before)
        grid = halved(self.conv, y[:, 1:], self.grid, made) + self.position[:, :, :made]
        shortcuts = fitted(x[:, :1], made), pooled_residual(x[:, 1:], self.grid, made)
        return only(
            torch.cat([linear(self.linear, y[:, :1], made), grid], 1) + torch.cat(shortcuts, 1), after
        )

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        before, after = self._widths(arch)
        block = ClassTokenReduction(before, after, self.grid)
        copy_norm(self.norm, block.norm)
        block.conv.weight.copy_(self.conv.weight[:after, :before])
        bias_of(block.conv).copy_(bias_of(self.conv)[:after])
        copy_linear(self.linear, block.linear)
        block.position.copy_(self.position[:, :, :after])
        return block

    def cost(self, arch: Sequence[int]) -> StageCost:
        (before, after), tokens = self._widths(arch), self.new_grid**2
        products = before * after
        return StageCost(
            label=f"reduction {self.stage}",
            group=f"stage {self.stage}",
            kind="reduction",
            output_shape=(1 + tokens, after),
            channels=after,
            counted=counts(
                macs=products * (9 * tokens + 1),
                params=10 * products + 2 * after + 2 * before + tokens * after,
                held_bytes=4 * self._held(before, after),
            ),
            detail="k3",
        )

    def _held(self, before: int, after: int) -> int:
        """Numbers alive at once in the order of the block's code."""
        came, tokens = (1 + self.grid**2) * before, self.new_grid**2
        norm, made, all_made = came, tokens * after, (1 + tokens) * after
        shortcut = (1 + tokens) * before
        padded = all_made if after > before else 0
        shown = padded or shortcut
        return max(
            came
            + norm
            + made
            + tokens * before
            + shortcut,  # normalized, convolved; pooled, then with the class token
            came + norm + made + shortcut + padded,
            came + norm + made + shown + after,  # the class token, of which alone the norm was still kept
            came + made + shown + after + all_made,
        )
