"""Where a stage of a mobile network stands, and what it is told."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Layer:
    """What a stage is told of its place.

    Attributes:
        in_channels, out_channels: of its maps.
        stride: of its convolution.
        before: the resized image's side over its input map's, rounded up.
        activation: as torch.nn.functional calls it.
        shortcut: whether its input is added to its output.
        epsilon: of its BatchNorms.
    """

    in_channels: int
    out_channels: int
    stride: int
    before: int
    activation: str
    shortcut: bool
    epsilon: float

    @property
    def after(self) -> int:
        """The resized image's side over its output map's, rounded up."""
        return self.before * self.stride

    @property
    def shortcut_name(self) -> str:
        return "identity" if self.shortcut else "none"

    def activate(self, x: Tensor) -> Tensor:
        activated: Tensor = getattr(F, self.activation)(x)
        return activated
