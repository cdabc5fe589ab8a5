"""First and last stage of vision transformers that answer by a class token, elastic in the width of a vector."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.class_token_embedding import ClassTokenEmbedding
from core.networks.blocks.class_token_head import ClassTokenHead
from core.spaces import SearchSpace
from core.supernets.base import Stage
from core.supernets.drop_path import faded
from core.supernets.masked import kept, only, whole
from core.supernets.sliced import copy_linear, copy_norm, linear, normalized
from core.supernets.stage_cost import StageCost, counts
from core.supernets.statistics import Statistics
from core.supernets.token_grids import bias_of
from core.tasks.image import ImageConfig


class ClassTokenEmbeddingStage(Stage):
    """Patches and learned tokens to vectors.

    Args:
        space: of the supernet.
        width_choice: the choice of a vector's width.
        width: at most.
        config: shape and constants of the images.
        patch: side of a patch, of which both sides of an image are multiples.
        tokens: learned ones, before the patches.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        space: SearchSpace,
        width_choice: str,
        width: int,
        config: ImageConfig,
        *,
        patch: int,
        tokens: int,
    ) -> None:
        super().__init__(space)
        self.depends_on = (width_choice,)
        self.in_channels, height, side = config.input_shape
        self.patch, self.patches = patch, (height // patch) * (side // patch)
        self.in_numbers = math.prod(config.input_shape)
        self.register_buffer("mean", torch.tensor(config.pixel_mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config.pixel_std).view(1, -1, 1, 1), persistent=False)
        self.conv = nn.Conv2d(self.in_channels, width, patch, patch)
        self.tokens = nn.ParameterList(torch.zeros(width) for _ in range(tokens))
        self.position = nn.Parameter(torch.empty(1, tokens + self.patches, width))
        nn.init.normal_(self.position, std=0.02)
        for token in self.tokens:
            # Nothing but this and its position is in the vector before the first LayerNorm, which divides by its spread.
            nn.init.normal_(token, std=0.2)

    def width(self, arch: Sequence[int]) -> int:
        """Of a vector."""
        return int(self.option(arch, self.depends_on[0]))

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        width = kept(arch, self.width, self.conv.out_channels, x)
        made = whole(width)
        weight, bias = self.conv.weight[:made], bias_of(self.conv)[:made]
        x = F.conv2d((x - self.mean) / self.std, weight, bias, self.patch).flatten(2).transpose(1, 2)
        before = [token[:made].expand(x.shape[0], 1, -1) for token in self.tokens]
        return only(torch.cat([*before, x], 1) + self.position[:, :, :made], width)

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        width = self.width(arch)
        block = ClassTokenEmbedding(self.in_channels, width, self.patch, self.patches, len(self.tokens))
        block.mean.copy_(self.mean)
        block.std.copy_(self.std)
        block.conv.weight.copy_(self.conv.weight[:width])
        bias_of(block.conv).copy_(bias_of(self.conv)[:width])
        for source, target in zip(self.tokens, block.tokens, strict=True):
            target.copy_(source[:width])
        block.position.copy_(self.position[:, :, :width])
        return block

    def cost(self, arch: Sequence[int]) -> StageCost:
        width, patches, tokens = self.width(arch), self.patches, self.patches + len(self.tokens)
        weights = self.in_channels * self.patch**2 * width
        held = max(
            2 * self.in_numbers + patches * width,  # the input, normalized, and its patches
            self.in_numbers + (patches + tokens) * width,  # the input, its patches, and all tokens
        )
        return StageCost(
            label="patches",
            group="stem",
            kind="stem",
            output_shape=(tokens, width),
            channels=width,
            counted=counts(
                macs=weights * patches,
                params=weights + width + (len(self.tokens) + tokens) * width,
                held_bytes=4 * held,
                buffer_bytes=8 * self.in_channels,
            ),
            detail=f"{self.patch}x{self.patch}",
        )


class ClassTokenHeadStage(Stage):
    """LayerNorm and a classifier on the class token; the mean of two with DeiT's teacher.

    Args:
        space: of the supernet.
        width_choice: the choice of a vector's width.
        width: at most.
        classes: of the data.
        tokens: vectors that come in.
        answers: tokens that answer, the first ones.
        epsilon: of the norm.
    """

    def __init__(
        self,
        space: SearchSpace,
        width_choice: str,
        width: int,
        *,
        classes: int,
        tokens: int,
        answers: int = 1,
        epsilon: float = 1e-5,
    ) -> None:
        super().__init__(space)
        self.depends_on = (width_choice,)
        self.classes, self.tokens = classes, tokens
        self.norm = nn.LayerNorm(width, eps=epsilon)
        self.linears = nn.ModuleList(nn.Linear(width, classes) for _ in range(answers))

    def width(self, arch: Sequence[int]) -> int:
        """Of a vector."""
        return int(self.option(arch, self.depends_on[0]))

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        width = kept(arch, self.width, self.norm.normalized_shape[0], x)
        x = faded(normalized(self.norm, x[:, : len(self.linears)], width), arch)
        answers = [linear(layer, x[:, i], self.classes) for i, layer in enumerate(self.linears)]  # type: ignore[arg-type]
        return sum(answers[1:], answers[0]) / len(answers)

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        head = ClassTokenHead(self.width(arch), self.classes, len(self.linears), self.norm.eps)
        copy_norm(self.norm, head.norm)
        for source, target in zip(self.linears, head.linears, strict=True):
            copy_linear(source, target)  # type: ignore[arg-type]
        return head

    def cost(self, arch: Sequence[int]) -> StageCost:
        width, answers = self.width(arch), len(self.linears)
        return StageCost.head(
            self.classes,
            counts(
                macs=answers * width * self.classes,
                params=answers * (width + 1) * self.classes + 2 * width,
                held_bytes=4 * (self.tokens * width + answers * (width + self.classes)),
            ),
        )
