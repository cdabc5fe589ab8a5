"""From one grid of tokens to the next, half as fine."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.base import BLOCKS, SIDE, BlockKind, Count, Example
from core.networks.groups import UnitWalk


class TokenReduction(nn.Module):
    """Halve the grid of tokens: LayerNorm, strided convolution, new positions; a pooled, zero-padded residual."""

    def __init__(self, in_width: int, width: int, grid: int) -> None:
        super().__init__()
        self.arguments = {"in_width": in_width, "width": width, "grid": grid}
        self.in_width, self.width, self.grid = in_width, width, grid
        self.norm = nn.LayerNorm(in_width)
        self.conv = nn.Conv2d(in_width, width, 3, 2, 1)
        self.position = nn.Parameter(torch.zeros(1, ((grid + 1) // 2) ** 2, width))

    def forward(self, x: Tensor) -> Tensor:
        shape = (x.shape[0], self.in_width, self.grid, self.grid)
        y = self.conv(self.norm(x).transpose(1, 2).reshape(shape)).flatten(2).transpose(1, 2)
        pooled = F.avg_pool2d(x.transpose(1, 2).reshape(shape), 2, ceil_mode=True).flatten(2).transpose(1, 2)
        if self.width > self.in_width:
            pooled = F.pad(pooled, (0, self.width - self.in_width))
        return y + pooled[:, :, : self.width] + self.position


@BLOCKS.register("token_reduction")
class TokenReductionKind(BlockKind):
    """A strided convolution over the grid of tokens, beside a pooled shortcut."""

    label = "Token reduction"
    source = "Liao et al., 'Searching for efficient multi-stage vision transformers', 2021 (ViT-ResNAS)"
    module = TokenReduction
    arguments = {"in_width": Count(), "width": Count(), "grid": SIDE}
    sizes = {"in_width": ("conv.weight", 1), "width": ("conv.weight", 0)}
    embeddings = ("position",)
    example = Example(
        (1, 6, 6),
        (
            ("PatchEmbedding", {"in_channels": 1, "width": 4, "patch": 2, "tokens": 9}),
            ("TokenReduction", {"in_width": 4, "width": 6, "grid": 3}),
            ("TokenHead", {"width": 6, "classes": 3}),
        ),
    )

    def units(self, block: TokenReduction, walk: UnitWalk) -> None:
        walk.averages("norm", block.in_width)
        walk.reads("conv.weight", block.in_width)
        walk.makes("conv.weight", block.width)
        walk.scales(["conv.bias"], block.width)
        walk.scales(["position"], block.width, axis=2)
        walk.shows(block.width)
