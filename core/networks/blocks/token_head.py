"""The last block of a transformer."""

from __future__ import annotations

from torch import Tensor, nn

from core.networks.blocks.base import BLOCKS, BlockKind, Count, Example
from core.networks.groups import UnitWalk


class TokenHead(nn.Module):
    """LayerNorm, mean over the tokens, linear layer."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.arguments = {"width": width, "classes": classes}
        self.norm = nn.LayerNorm(width)
        self.linear = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.norm(x).mean(1))


@BLOCKS.register("token_head")
class TokenHeadKind(BlockKind):
    """LayerNorm, mean over the tokens, linear layer."""

    label = "Token head"
    source = (
        "Zhai et al., 'Scaling vision transformers', CVPR 2022 (mean of the tokens instead of a class token)"
    )
    module = TokenHead
    arguments = {"width": Count(), "classes": Count()}
    sizes = {"width": ("linear.weight", 1)}
    example = Example(
        (1, 4, 4),
        (
            ("PatchEmbedding", {"in_channels": 1, "width": 5, "patch": 2, "tokens": 4}),
            ("TokenHead", {"width": 5, "classes": 4}),
        ),
    )

    def units(self, block: TokenHead, walk: UnitWalk) -> None:
        walk.averages("norm", block.linear.in_features)
        walk.reads("linear.weight", block.linear.in_features)
