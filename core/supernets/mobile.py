"""What once-for-all's two mobile families have in common: how they are described, their space, their chain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from core.config import BaseConfig
from core.spaces import Choice, SearchSpace
from core.spaces.choice import require_ascending, within_depth
from core.supernets.base import Stage, Supernet
from core.supernets.mobile_ends import MobileHeadStage, MobileStemStage, SeparableStage
from core.supernets.mobile_layer import Layer
from core.supernets.mobile_stages import BottleneckStage
from core.supernets.resizing import ResizeStage, resolution_choice
from core.supernets.widths import make_divisible
from core.tasks.image import ImageConfig

IMAGENET = {"pixel_mean": (0.485, 0.456, 0.406), "pixel_std": (0.229, 0.224, 0.225)}
RESOLUTIONS = tuple(range(128, 225, 4))
"""Sides of images that once-for-all was trained for."""


class MobileGroupConfig(BaseConfig):
    """One group of blocks of equal width."""

    width: int = Field(ge=1, le=2048, description="Channels of the group's output, before the multiplier.")
    stride: int = Field(2, ge=1, le=4, description="Stride of its first block.")
    activation: Literal["relu", "relu6", "hardswish"] = Field("relu", description="Behind its convolutions.")
    squeeze: bool = Field(False, description="Weigh channels by squeeze-and-excite.")
    depths: tuple[int, ...] = Field((2, 3, 4), description="Number of blocks.")

    @model_validator(mode="after")
    def _possible(self) -> MobileGroupConfig:
        require_ascending({"depths": self.depths})
        if self.depths[-1] > 16:
            raise ValueError("a group may have at most 16 blocks")
        return self


class MobileConfig(ImageConfig):
    """What both families ask for."""

    groups: tuple[MobileGroupConfig, ...] = Field(
        min_length=1, max_length=8, description="Groups of blocks of equal width."
    )
    kernels: tuple[int, ...] = Field((3, 5), description="Kernel of each block's depthwise convolution.")
    expands: tuple[int, ...] = Field(
        (1, 2, 4), description="Hidden channels of each block, as a multiple of its input's."
    )
    resolutions: tuple[int, ...] = Field(
        (), description="Sides to which images are resized; as they are if none is given."
    )
    width_mult: float = Field(1.0, ge=0.05, le=8, description="Multiplies every width.")
    divisor: int = Field(8, ge=1, le=64, description="Channels are rounded to multiples of this.")
    stem_width: int = Field(16, ge=1, le=2048, description="Channels of the first convolution.")
    stem_stride: int = Field(1, ge=1, le=4, description="Stride of the first convolution.")
    first_width: int = Field(16, ge=1, le=2048, description="Channels of the first, fixed block.")
    head_width: int = Field(64, ge=1, le=4096, description="Channels of the last convolution.")
    kernel_transform: bool = Field(
        True, description="Learn a matrix from each kernel to the next smaller one."
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        require_ascending({"kernels": self.kernels, "expands": self.expands})
        if any(k % 2 == 0 for k in self.kernels) or self.kernels[-1] > 11:
            raise ValueError("kernels must be odd and at most 11")
        if self.expands[-1] > 16:
            raise ValueError("blocks expand at most 16 times")
        resolution_choice(self.sides)
        if max(self.divisible(group.width) for group in self.groups) * self.expands[-1] > 16_384:
            raise ValueError("a block may have at most 16,384 hidden channels")
        return self

    @property
    def sides(self) -> tuple[int, ...]:
        """The resolutions there are."""
        return self.resolutions or (self.input_shape[1],)

    def divisible(self, channels: float) -> int:
        """A width as it is built."""
        return make_divisible(channels * self.width_mult, self.divisor)

    def hidden(self, in_channels: int) -> dict[int, int]:
        """Expansion ratio -> hidden channels of a block."""
        return {ratio: make_divisible(in_channels * ratio, self.divisor) for ratio in self.expands}

    def squeezed(self, in_channels: int) -> dict[int, int]:
        """Expansion ratio -> units of squeeze-and-excite: a quarter of the hidden channels."""
        return {r: make_divisible(width // 4, self.divisor) for r, width in self.hidden(in_channels).items()}


@dataclass(frozen=True)
class Style:
    """What tells the families apart and no configuration changes.

    Attributes:
        stem, first, head: activations.
        first_shortcut: whether the first block adds its input where the widths agree.
        epsilon: of every BatchNorm.
    """

    stem: str
    first: str
    head: str
    first_shortcut: bool
    epsilon: float


class MobileSupernet(Supernet):
    """Stem, a fixed block, groups of inverted bottlenecks, head."""

    config: MobileConfig
    style: ClassVar[Style]
    task_name = "image"

    def __init__(self, config: MobileConfig, features: int = 0) -> None:
        space, style = _space(config), self.style
        stem, first = config.divisible(config.stem_width), config.divisible(config.first_width)
        common = {"epsilon": style.epsilon}
        stages: list[Stage] = [ResizeStage(space, config.input_shape)]
        layer = Layer(config.input_shape[0], stem, config.stem_stride, 1, style.stem, False, **common)
        stages.append(MobileStemStage(space, layer, config.pixel_mean, config.pixel_std))
        shortcut = style.first_shortcut and stem == first
        layer = Layer(stem, first, 1, layer.after, style.first, shortcut, **common)
        stages.append(SeparableStage(space, layer))
        width = first
        for g, group in enumerate(config.groups, start=1):
            for b in range(1, group.depths[-1] + 1):
                stride, out = group.stride if b == 1 else 1, config.divisible(group.width)
                shortcut = stride == 1 and width == out
                layer = Layer(width, out, stride, layer.after, group.activation, shortcut, **common)
                stage = BottleneckStage(
                    space,
                    layer,
                    place=(g, b),
                    kernels=config.kernels,
                    hidden=config.hidden(width),
                    squeezed=config.squeezed(width) if group.squeeze else {},
                    transform=config.kernel_transform,
                )
                stages.append(stage)
                width = out
        last = config.divisible(config.head_width)
        layer = Layer(width, last, 1, layer.after, style.head, False, **common)
        stages.append(MobileHeadStage(space, layer, features, config.classes))
        super().__init__(config, space, stages)

    def sort_channels(self) -> None:
        for stage in self.stages:
            if isinstance(stage, BottleneckStage):
                stage.sort_channels()

    @property
    def blocks(self) -> list[BottleneckStage]:
        """The elastic blocks in order, absent ones included."""
        return [stage for stage in self.chain if isinstance(stage, BottleneckStage)]


def _space(config: MobileConfig) -> SearchSpace:
    choices = [resolution_choice(config.sides)]
    for g, group in enumerate(config.groups, start=1):
        choices.append(Choice(f"depth{g}", group.depths, "depth", unit="blocks"))
        for b in range(1, group.depths[-1] + 1):
            requires = within_depth(f"depth{g}", group.depths, b)
            choices.append(
                Choice(f"kernel{g}_{b}", config.kernels, "kernel", unit="pixels", requires=requires)
            )
            choices.append(Choice(f"expand{g}_{b}", config.expands, "ratio", requires=requires))
    return SearchSpace(choices)
