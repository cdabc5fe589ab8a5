"""All blocks' outputs side by side, and a convolution that mixes them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.config import Settings
from core.networks.blocks.base import BLOCKS, BlockKind, Count, Example, Shapes
from core.networks.groups import UnitWalk


class ConcatConv(nn.Module):
    """What the last of several SE-Res2 blocks returns: the blocks' outputs concatenated, convolution, ReLU."""

    def __init__(self, width: int, blocks: int, out_channels: int) -> None:
        super().__init__()
        self.arguments = {"width": width, "blocks": blocks, "out_channels": out_channels}
        self.blocks = blocks
        self.conv = nn.Conv1d(width * blocks, out_channels, 1, bias=False)

    def forward(self, inputs: tuple[Tensor, ...]) -> Tensor:
        last, _, *earlier = inputs
        return F.relu(self.conv(torch.cat([*earlier, last], 1)))


@BLOCKS.register("concat_conv")
class ConcatConvKind(BlockKind):
    """Outputs of several blocks side by side, convolution, ReLU."""

    label = "Concatenation"
    source = "Desplanques et al., ECAPA-TDNN, Interspeech 2020 (multi-layer feature aggregation)"
    module = ConcatConv
    arguments = {"width": Count(), "blocks": Count(64), "out_channels": Count()}
    sizes = {"out_channels": ("conv.weight", 0)}
    over_time = True
    example = Example(
        (2, 12),
        (
            ("TdnnStem", {"in_channels": 2, "out_channels": 5, "kernel": 3, "stride": 1}),
            (
                "SeRes2Block",
                {"width": 5, "inner": 4, "scale": 2, "kernel": 1, "dilation": 1, "squeeze": 2},
            ),
            (
                "SeRes2Block",
                {"width": 5, "inner": 6, "scale": 2, "kernel": 3, "dilation": 2, "squeeze": 3},
            ),
            ("ConcatConv", {"width": 5, "blocks": 2, "out_channels": 6}),
            ("AttentiveStatistics", {"channels": 6, "bottleneck": 4}),
            ("EmbeddingHead", {"in_features": 12, "embedding": 4, "classes": 3}),
        ),
    )

    def units(self, block: ConcatConv, walk: UnitWalk) -> None:
        width = block.conv.in_channels // block.blocks
        for k in range(block.blocks):
            walk.reads("conv.weight", width, start=k * width)
        walk.new_stream()
        walk.makes("conv.weight", block.conv.out_channels)
        walk.shows(block.conv.out_channels)

    def fitting(self, block: ConcatConv, shapes: Shapes) -> Settings:
        width = int(shapes["conv.weight"][1]) // block.blocks
        return super().fitting(block, shapes) | {"width": width}
