"""The first block of a converted network that was trained on normalized pixels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.networks.blocks.base import BLOCKS, BlockKind, Count, Example
from core.networks.groups import UnitWalk


class ImageNormalization(nn.Module):
    """Subtracts a mean and divides by a spread, each channel by itself."""

    mean: Tensor
    std: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.arguments = {"channels": channels}
        self.register_buffer("mean", torch.zeros(1, channels, 1, 1))
        self.register_buffer("std", torch.ones(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std


@BLOCKS.register("image_normalization")
class ImageNormalizationKind(BlockKind):
    """Constants for normalization, alone."""

    label = "Pixel normalization"
    source = "common practice; constants of the data a network was trained on"
    module = ImageNormalization
    arguments = {"channels": Count(64)}
    offsets, positive = ("mean",), ("std",)
    example = Example(
        (2, 8, 8),
        (
            ("ImageNormalization", {"channels": 2}),
            ("Stem", {"in_channels": 2, "out_channels": 5, "kernel": 3, "stride": 2}),
            ("PoolingHead", {"in_channels": 5, "classes": 3}),
        ),
    )

    def units(self, block: ImageNormalization, walk: UnitWalk) -> None:
        """None: the channels of the input keep their places."""

    def input_shape(self, block: ImageNormalization) -> tuple[int, ...]:
        return (block.mean.shape[1], 32, 32)
