"""Once-for-all's ResNet-50: elastic depth, width and expansion of bottlenecks, and the resolution of the images.

A network of four groups of bottlenecks behind a deep stem (ResNet-D). Every group has a base depth and may be
deeper by so many blocks; every group, and the stem twice, has a width of its own that is a multiple of its base
width; every block has a share of that width inside; the stem's middle convolution may be left out. A smaller
option is always the first channels, and the first blocks, of the larger one.

Source: Cai et al., "Once-for-All", ICLR 2020; facts of the space from mit-han-lab/once-for-all (MIT), class OFAResNets.
"""

from __future__ import annotations

from itertools import pairwise

from pydantic import Field, model_validator

from core.networks.limits import MOST_SIDE
from core.spaces import Choice, SearchSpace
from core.spaces.choice import Option, within_depth
from core.supernets.base import Stage, Supernet
from core.supernets.families import FAMILIES
from core.supernets.resizing import ResizeStage, resolution_choice
from core.supernets.resnet_stages import BottleneckStage, HeadStage, Maps, Place, Size, Width
from core.supernets.resnet_stems import StemEndStage, StemMiddleStage, StemStage
from core.supernets.widths import make_divisible
from core.tasks.base import InputConfig
from core.tasks.image import ImageConfig

STRIDES = (1, 2, 2, 2)
"""Of the first block of each group; further groups halve as well."""


class OFAResNet50Config(ImageConfig):
    """Widths and depths of the groups; the defaults are an eighth of ResNet-50, for small images."""

    resolutions: tuple[int, ...] = Field(
        (), max_length=36, description="Sides that images are resized to; none: as they are."
    )
    stem_channels: int = Field(16, ge=1, le=1024, description="Channels of the stem before multiplying.")
    stem_stride: int = Field(1, ge=1, le=4, description="Stride of the first convolution.")
    stem_pool: int = Field(1, ge=1, le=4, description="Stride of the max pooling behind the stem (1: none).")
    stem_depths: tuple[int, ...] = Field((0, 1), description="Whether the stem has its middle convolution.")
    channels: tuple[int, ...] = Field(
        (32, 64, 128, 256),
        min_length=1,
        max_length=6,
        description="Channels of the groups before multiplying.",
    )
    base_depths: tuple[int, ...] = Field((2, 2, 4, 2), description="Fewest blocks of each group.")
    extra_depths: tuple[int, ...] = Field((0, 1, 2), description="Blocks beyond the fewest.")
    expand_ratios: tuple[float, ...] = Field(
        (0.2, 0.25, 0.35), description="Channels inside a block, as shares of its output's."
    )
    width_multipliers: tuple[float, ...] = Field(
        (0.65, 0.8, 1.0), description="What the channels of the stem and of each group are multiplied by."
    )
    divisor: int = Field(8, ge=1, le=64, description="Channels are rounded to multiples of this.")

    @model_validator(mode="after")
    def _sound(self) -> OFAResNet50Config:
        options = {
            "resolutions": (self.resolutions, 1, MOST_SIDE),
            "stem_depths": (self.stem_depths, 0, 1),
            "extra_depths": (self.extra_depths, 0, 16),
            "expand_ratios": (self.expand_ratios, 0.01, 4),
            "width_multipliers": (self.width_multipliers, 0.01, 4),
        }
        for name, (values, least, most) in options.items():
            known = not values and name == "resolutions"
            if not known and not (values and all(a < b for a, b in pairwise(values))):
                raise ValueError(f"{name} must ascend")
            if values and (values[0] < least or values[-1] > most or len(values) > 36):
                raise ValueError(f"{name} must lie between {least} and {most}")
        if len(self.base_depths) != len(self.channels):
            raise ValueError("base_depths must name every group's fewest blocks")
        if not all(1 <= depth <= 32 for depth in self.base_depths):
            raise ValueError("a group has 1 to 32 blocks, and up to 16 more")
        if not all(1 <= channels <= 4096 for channels in self.channels):
            raise ValueError("a group has 1 to 4,096 channels before multiplying")
        return self

    def blocks(self, group: int) -> tuple[int, ...]:
        """Numbers of blocks that a group, counted from 0, may have."""
        return tuple(self.base_depths[group] + extra for extra in self.extra_depths)


@FAMILIES.register("ofa_resnet50")
class OFAResNet50(Supernet):
    """Residual network of bottlenecks with elastic depth, width, expansion and resolution."""

    label = "Once-for-all ResNet-50"
    source = "Cai et al., Once-for-All, ICLR 2020"
    Config = OFAResNet50Config
    task_name = "image"

    def __init__(self, config: OFAResNet50Config) -> None:
        space, (inner_width, stem_width, *widths) = _space(config), _widths(config)
        maps = _input_maps(config)
        stages: list[Stage] = [ResizeStage(space, config.input_shape)] if config.resolutions else []
        channels = config.input_shape[0]
        pixels = tuple(
            constants if len(constants) == channels else constants * channels
            for constants in (config.pixel_mean, config.pixel_std)
        )
        maps = maps.then(config.stem_stride)
        stages.append(StemStage(space, maps, inner_width, (pixels[0], pixels[1])))
        stages.append(StemMiddleStage(space, maps.then(1), inner_width, "stem_depth"))
        maps = maps.then(config.stem_pool)
        stages.append(StemEndStage(space, maps, (inner_width, stem_width), config.stem_pool))
        before = stem_width
        for group, width in enumerate(widths, start=1):
            for index in range(1, config.blocks(group - 1)[-1] + 1):
                stride = STRIDES[min(group, len(STRIDES)) - 1] if index == 1 else 1
                maps = maps.then(stride)
                place = Place(
                    group=group,
                    index=index,
                    before=before,
                    width=width,
                    depth=f"depth{group}",
                    expand=f"expand{group}_{index}",
                    ratios=config.expand_ratios,
                    stride=stride,
                )
                stages.append(BottleneckStage(space, maps, place, lambda n, e: _inner(n, e, config.divisor)))
                before = width
        stages.append(HeadStage(space, maps.then(1), before, config.classes))
        super().__init__(config, space, stages)

    @classmethod
    def examples(cls) -> list[InputConfig]:
        return [cls.example((2, 8, 8))]

    @classmethod
    def example(cls, input_shape: tuple[int, int, int]) -> OFAResNet50Config:
        """A small configuration for images (c, h, w) of this shape."""
        channels, height, _ = input_shape
        return OFAResNet50Config(
            input_shape=input_shape,
            pixel_mean=(0.3,) * channels,
            pixel_std=(0.4,) * channels,
            resolutions=(5, height),  # an odd side: its maps halve to 3
            stem_channels=8,
            stem_pool=2,
            channels=(4, 8),
            base_depths=(1, 1),
            extra_depths=(0, 1),
            expand_ratios=(0.5, 1.0),
            width_multipliers=(0.5, 1.0),
            divisor=2,
        )

    def sort_channels(self) -> None:
        for stage in self.stages:
            if isinstance(stage, BottleneckStage):
                stage.sort_channels()


def _inner(channels: int, ratio: float, divisor: int) -> int:
    # Rounded to a whole number first, as the authors' code does.
    return make_divisible(round(channels * ratio), divisor)


def _widths(config: OFAResNet50Config) -> list[Width]:
    """Of the stem inside, of what leaves it, and of every group."""
    stem: dict[Option, int] = {
        w: make_divisible(config.stem_channels * w, config.divisor) for w in config.width_multipliers
    }
    inside: dict[Option, int] = {w: make_divisible(n // 2, config.divisor) for w, n in stem.items()}
    widths = [Width("stem_inner_width", inside), Width("stem_width", stem)]
    for group, channels in enumerate(config.channels, start=1):
        options: dict[Option, int] = {
            w: make_divisible(channels * w, config.divisor) for w in config.width_multipliers
        }
        widths.append(Width(f"width{group}", options))
    return widths


def _space(config: OFAResNet50Config) -> SearchSpace:
    times = "times the base width"
    choices = [resolution_choice(config.resolutions)] if config.resolutions else []
    choices.append(Choice("stem_inner_width", config.width_multipliers, "width", unit=times))
    choices.append(Choice("stem_depth", config.stem_depths, "depth", unit="blocks"))
    choices.append(Choice("stem_width", config.width_multipliers, "width", unit=times))
    for group in range(1, len(config.channels) + 1):
        depths = config.blocks(group - 1)
        choices.append(Choice(f"width{group}", config.width_multipliers, "width", unit=times))
        choices.append(Choice(f"depth{group}", depths, "depth", unit="blocks"))
        for block in range(1, depths[-1] + 1):
            requires = within_depth(f"depth{group}", depths, block)
            choices.append(
                Choice(
                    f"expand{group}_{block}",
                    config.expand_ratios,
                    "ratio",
                    unit="of the block's width",
                    requires=requires,
                )
            )
    return SearchSpace(choices)


def _input_maps(config: OFAResNet50Config) -> Maps:
    """The images as they enter the stem, at every resolution."""
    entering: dict[Option | None, Size] = {side: (side, side) for side in config.resolutions}
    entering = entering or {None: config.input_shape[1:]}
    return Maps(entering, entering)
