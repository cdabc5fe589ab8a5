"""What there is to choose in an ensemble of paths: see `core.supernets.path_ensemble`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import Field, model_validator

from core.config import BaseConfig
from core.spaces import Choice, SearchSpace
from core.spaces.choice import within_depth
from core.supernets.chain_stages import halved
from core.supernets.options.base import Place
from core.tasks.image import ImageConfig

OWN = "own_layers"
"""Name of the choice: how many of the last layers each path has for itself."""
_SKIP = "skip"


class PathEnsembleConfig(ImageConfig):
    """The skeleton, and what there is to choose."""

    channels: int = Field(
        8, ge=1, le=256, description="Channels of the first group; doubled from group to group."
    )
    layers: tuple[int, ...] = Field(
        (2, 2),
        min_length=1,
        max_length=5,
        description="Layers of each group; the resolution halves from one to the next.",
    )
    paths: int = Field(2, ge=2, le=4, description="Networks of an ensemble.")
    own: int = Field(3, ge=1, le=32, description="Most layers that each path has for itself.")
    kernels: tuple[int, ...] = Field(
        (3, 5), min_length=1, description="Kernels of a block's first convolution."
    )
    expands: tuple[int, ...] = Field(
        (1, 2),
        min_length=1,
        description="Channels between a block's two convolutions, as multiples of its width.",
    )

    @model_validator(mode="after")
    def _fits(self) -> PathEnsembleConfig:
        if any(n < 1 or n > 8 for n in self.layers):
            raise ValueError("a group has 1 to 8 layers")
        if self.own > sum(self.layers):
            raise ValueError("a path cannot have more layers for itself than there are")
        if any(k % 2 == 0 or not 1 <= k <= 7 for k in self.kernels) or any(
            not 1 <= e <= 6 for e in self.expands
        ):
            raise ValueError("kernels are odd and at most 7, expansions are 1 to 6")
        if any(list(values) != sorted(set(values)) for values in (self.kernels, self.expands)):
            raise ValueError("kernels and expansions ascend")
        return self


class OperationConfig(BaseConfig):
    """One operation of a layer."""

    kernel: int
    expand: int


@dataclass(frozen=True)
class Layer:
    """One layer of one path.

    Attributes:
        number: from 1.
        group: of equal resolution, from 1.
        path: from 1.
        place: widths, stride and size.
        parts_at: how many layers of their own the paths have, at least, where they have parted before this one.
        can_part: whether they can.
        bank: its operations; None is to skip it.
    """

    number: int
    group: int
    path: int
    place: Place
    parts_at: int
    can_part: bool
    bank: tuple[OperationConfig | None, ...]

    @property
    def choice(self) -> str:
        return f"layer{self.number}" if self.path == 1 else f"layer{self.number}_path{self.path}"

    def labels(self) -> tuple[str, ...]:
        return tuple(_SKIP if each is None else f"k{each.kernel} e{each.expand}" for each in self.bank)


def layers_of(config: PathEnsembleConfig) -> list[Layer]:
    """Every layer of every path, in the order of the chain."""
    found, total, number = [], sum(config.layers), 0
    width, size = config.channels, (config.input_shape[1], config.input_shape[2])
    for group, depth in enumerate(config.layers, start=1):
        for index in range(depth):
            number += 1
            first = index == 0 and group > 1
            before, width, stride = width, width * (2 if first else 1), 2 if first else 1
            place = Place(before, width, stride, size, keeps=not first)
            bank: list[OperationConfig | None] = [None] if place.keeps and number > 1 else []
            bank += [OperationConfig(kernel=k, expand=e) for e in config.expands for k in config.kernels]
            parts_at = total - number + 1
            can_part = parts_at <= config.own
            found += [
                Layer(number, group, path, place, parts_at, can_part, tuple(bank))
                for path in range(1, config.paths + 1 if can_part else 2)
            ]
            size = halved(size, stride)
    return found


def space_of(config: PathEnsembleConfig, layers: Sequence[Layer]) -> SearchSpace:
    depths = tuple(range(config.own + 1))
    choices = [Choice(OWN, depths, "depth", unit="layers")]
    for layer in layers:
        requires = None if layer.path == 1 else within_depth(OWN, depths, layer.parts_at)
        ends = (0, len(layer.bank) - 1)
        choices.append(
            Choice(layer.choice, layer.labels(), "operation", ordinal=False, requires=requires, ends=ends)
        )
    return SearchSpace(choices)
