"""The first block of a plain vision transformer: patches behind a class token."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.networks.blocks.base import BLOCKS, SIDE, BlockKind, Count, Example
from core.networks.groups import UnitWalk
from core.networks.limits import MOST_SIDE


class ClassTokenEmbedding(nn.Module):
    """Normalize the input by constants, embed its patches, put learned tokens before them, add each one's position."""

    mean: Tensor
    std: Tensor

    def __init__(self, in_channels: int, width: int, patch: int, patches: int, tokens: int) -> None:
        super().__init__()
        self.arguments = {
            "in_channels": in_channels,
            "width": width,
            "patch": patch,
            "patches": patches,
            "tokens": tokens,
        }
        self.register_buffer("mean", torch.zeros(1, in_channels, 1, 1))
        self.register_buffer("std", torch.ones(1, in_channels, 1, 1))
        self.conv = nn.Conv2d(in_channels, width, patch, patch)
        self.tokens = nn.ParameterList(torch.zeros(width) for _ in range(tokens))
        self.position = nn.Parameter(torch.zeros(1, tokens + patches, width))

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv((x - self.mean) / self.std).flatten(2).transpose(1, 2)
        before = [token.expand(x.shape[0], 1, -1) for token in self.tokens]
        return torch.cat([*before, x], 1) + self.position


@BLOCKS.register("class_token_embedding")
class ClassTokenEmbeddingKind(BlockKind):
    """Patches of a map as tokens, behind a class token and, for DeiT, a distillation token; positions are learned."""

    label = "Patch embedding with a class token"
    source = "Dosovitskiy et al., ViT, ICLR 2021; Touvron et al., DeiT, ICML 2021 (distillation token)"
    module = ClassTokenEmbedding
    arguments = {
        "in_channels": Count(),
        "width": Count(),
        "patch": SIDE,
        "patches": Count(MOST_SIDE**2),
        "tokens": Count(2),
    }
    sizes = {"width": ("conv.weight", 0)}
    embeddings = ("position",)
    offsets, positive = ("mean",), ("std",)
    example = Example(
        (2, 8, 8),
        (
            ("ClassTokenEmbedding", {"in_channels": 2, "width": 6, "patch": 2, "patches": 16, "tokens": 2}),
            ("TransformerBlock", {"width": 6, "heads": 2, "head_size": 3, "hidden": 5, "epsilon": 1e-12}),
            ("ClassTokenHead", {"width": 6, "classes": 3, "answers": 2, "epsilon": 1e-12}),
        ),
    )

    def units(self, block: ClassTokenEmbedding, walk: UnitWalk) -> None:
        width = block.conv.out_channels
        walk.makes("conv.weight", width)
        walk.scales(["conv.bias"], width)
        walk.scales([f"tokens.{i}" for i in range(len(block.tokens))], width)
        walk.scales(["position"], width, axis=2)
        walk.shows(width)

    def input_shape(self, block: ClassTokenEmbedding) -> tuple[int, ...]:
        # Rows of patches one below the other: however many there are, they fit.
        patch, patches = block.conv.kernel_size[0], block.position.shape[1] - len(block.tokens)
        return (block.conv.in_channels, patch * patches, patch)
