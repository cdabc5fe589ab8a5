"""Elastic resolution: the first stage brings images to the size that the architecture asks for.

A family for images with a choice `resolution` puts `ResizeStage` first, and every stage whose cost
depends on the size of its maps declares `RESOLUTION`.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.resize import Resize
from core.networks.limits import MOST_SIDE
from core.spaces import Choice, SearchSpace
from core.spaces.choice import require_ascending
from core.supernets.base import BranchContext, Stage
from core.supernets.stage_cost import StageCost, counts
from core.supernets.statistics import Statistics

RESOLUTION = "resolution"
_PIECE = 1 << 24
"""Numbers of resized images that are made at once."""


def resolution_choice(sides: Sequence[int]) -> Choice:
    """The choice of an image's side; put it first, for everything behind depends on it.

    Raises:
        ValueError: the sides do not ascend, or are too many or too large.
    """
    require_ascending({"resolutions": sides})
    if sides[-1] > MOST_SIDE:
        raise ValueError(f"resolutions go up to {MOST_SIDE:,} pixels")
    return Choice(RESOLUTION, tuple(sides), "resolution", unit="pixels")


class ResizeStage(Stage):
    """Bilinear interpolation of images to a square of the chosen side; absent where they have that size.

    Half-pixel centers and no antialiasing, so that torch and ONNX compute the same. It works on plain pixels;
    normalizing them by constants before or after makes no difference, for the weights of a pixel sum to one.

    Args:
        space: has a choice `resolution`.
        input_shape: channels, height, width of the images.
    """

    depends_on = (RESOLUTION,)

    def __init__(self, space: SearchSpace, input_shape: tuple[int, int, int]) -> None:
        super().__init__(space)
        self.input_shape = tuple(input_shape)

    def side(self, arch: Sequence[int]) -> int:
        """The resolution that an architecture asks for."""
        return int(self.option(arch, RESOLUTION))

    def key(self, arch: Sequence[int]) -> Hashable:
        side = self.side(arch)
        return None if self.input_shape[1:] == (side, side) else side

    def forward(self, x: Tensor, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        side = self.side(arch)
        return F.interpolate(x, size=(side, side), mode="bilinear", align_corners=False)

    def branch(self, x: Tensor, archs: Sequence[Sequence[int]], context: BranchContext) -> list[Tensor]:
        found = []
        for arch in archs:
            side = self.side(arch)
            out = x.new_empty((*x.shape[:2], side, side))
            # Torch works on a copy in another layout, which many large images have no room for.
            rows = max(1, _PIECE // (x.shape[1] * max(side * side, x.shape[2] * x.shape[3])))
            for start in range(0, len(x), rows):
                out[start : start + rows] = self(x[start : start + rows], arch)
            found.append(out)
        return found

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        side = self.side(arch)
        return Resize(self.input_shape[0], side, side)

    def cost(self, arch: Sequence[int]) -> StageCost:
        channels, side = self.input_shape[0], self.side(arch)
        return StageCost(
            label="resize",
            group="input",
            kind="resize",
            output_shape=(channels, side, side),
            channels=channels,
            counted=counts(
                macs=0, params=0, held_bytes=4 * (math.prod(self.input_shape) + channels * side * side)
            ),
        )
