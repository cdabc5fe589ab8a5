"""The first block of a vision transformer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.networks.blocks.base import BLOCKS, SIDE, BlockKind, Count, Example
from core.networks.groups import UnitWalk
from core.networks.limits import MOST_SIDE


class PatchEmbedding(nn.Module):
    """Normalize the input by constants, cut it into patches, embed each, add its position."""

    mean: Tensor
    std: Tensor

    def __init__(self, in_channels: int, width: int, patch: int, tokens: int) -> None:
        super().__init__()
        self.arguments = {"in_channels": in_channels, "width": width, "patch": patch, "tokens": tokens}
        self.register_buffer("mean", torch.zeros(1, in_channels, 1, 1))
        self.register_buffer("std", torch.ones(1, in_channels, 1, 1))
        self.conv = nn.Conv2d(in_channels, width, patch, patch)
        self.position = nn.Parameter(torch.zeros(1, tokens, width))

    def forward(self, x: Tensor) -> Tensor:
        return self.conv((x - self.mean) / self.std).flatten(2).transpose(1, 2) + self.position


@BLOCKS.register("patch_embedding")
class PatchEmbeddingKind(BlockKind):
    """Patches of a map as tokens, with positions that are learned."""

    label = "Patch embedding"
    source = "Dosovitskiy et al., ViT, ICLR 2021"
    module = PatchEmbedding
    arguments = {"in_channels": Count(), "width": Count(), "patch": SIDE, "tokens": Count(MOST_SIDE**2)}
    sizes = {"width": ("conv.weight", 0)}
    embeddings = ("position",)
    offsets, positive = ("mean",), ("std",)
    example = Example(
        (2, 8, 8),
        (
            ("PatchEmbedding", {"in_channels": 2, "width": 6, "patch": 2, "tokens": 16}),
            ("TokenHead", {"width": 6, "classes": 3}),
        ),
    )

    def units(self, block: PatchEmbedding, walk: UnitWalk) -> None:
        width = block.conv.out_channels
        walk.makes("conv.weight", width)
        walk.scales(["conv.bias"], width)
        walk.scales(["position"], width, axis=2)
        walk.shows(width)

    def input_shape(self, block: PatchEmbedding) -> tuple[int, ...]:
        # Rows of patches one below the other: however many tokens there are, they fit.
        patch = block.conv.kernel_size[0]
        return (block.conv.in_channels, patch * block.position.shape[1], patch)
