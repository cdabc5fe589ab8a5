"""From one grid of tokens to the next, half as fine, with a class token before both."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.base import BLOCKS, SIDE, BlockKind, Count, Example
from core.networks.groups import UnitWalk


class ClassTokenReduction(nn.Module):
    """LayerNorm; a strided convolution halves the grid, a linear layer widens the class token; both beside a shortcut.

    The grid's shortcut is the mean of 2x2 tokens, the class token's is itself, each with zeros for channels it lacks.
    Tokens of the new grid get new positions.
    """

    def __init__(self, in_width: int, width: int, grid: int) -> None:
        super().__init__()
        self.arguments = {"in_width": in_width, "width": width, "grid": grid}
        self.in_width, self.width, self.grid = in_width, width, grid
        self.norm = nn.LayerNorm(in_width)
        self.conv = nn.Conv2d(in_width, width, 3, 2, 1)
        self.linear = nn.Linear(in_width, width)
        self.position = nn.Parameter(torch.zeros(1, ((grid + 1) // 2) ** 2, width))

    def forward(self, x: Tensor) -> Tensor:
        shape = (x.shape[0], self.in_width, self.grid, self.grid)
        y = self.norm(x)
        made = self.conv(y[:, 1:].transpose(1, 2).reshape(shape)).flatten(2).transpose(1, 2) + self.position
        pooled = F.avg_pool2d(x[:, 1:].transpose(1, 2).reshape(shape), 2, ceil_mode=True)
        shortcut = torch.cat([x[:, :1], pooled.flatten(2).transpose(1, 2)], 1)
        if self.width > self.in_width:
            shortcut = F.pad(shortcut, (0, self.width - self.in_width))
        return torch.cat([self.linear(y[:, :1]), made], 1) + shortcut[:, :, : self.width]


@BLOCKS.register("class_token_reduction")
class ClassTokenReductionKind(BlockKind):
    """A strided convolution over the grid of tokens, a linear layer for the class token, and shortcuts beside both."""

    label = "Token reduction with a class token"
    source = "Liao et al., 'Searching for efficient multi-stage vision transformers', 2021 (ViT-ResNAS)"
    module = ClassTokenReduction
    arguments = {"in_width": Count(), "width": Count(), "grid": SIDE}
    sizes = {"in_width": ("conv.weight", 1), "width": ("conv.weight", 0)}
    embeddings = ("position",)
    example = Example(
        (1, 6, 6),
        (
            ("ClassTokenEmbedding", {"in_channels": 1, "width": 4, "patch": 2, "patches": 9, "tokens": 1}),
            ("ClassTokenReduction", {"in_width": 4, "width": 6, "grid": 3}),
            ("TransformerBlock", {"width": 6, "heads": 2, "head_size": 3, "hidden": 5}),
            ("ClassTokenHead", {"width": 6, "classes": 3, "answers": 1, "epsilon": 1e-5}),
        ),
    )

    def units(self, block: ClassTokenReduction, walk: UnitWalk) -> None:
        walk.averages("norm", block.in_width)
        for layer in ("conv", "linear"):
            walk.reads(f"{layer}.weight", block.in_width)
        for layer in ("conv", "linear"):
            walk.makes(f"{layer}.weight", block.width)
            walk.scales([f"{layer}.bias"], block.width)
        walk.scales(["position"], block.width, axis=2)
        walk.shows(block.width)
