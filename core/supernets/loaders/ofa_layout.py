"""What once-for-all's checkpoints have in common: names of tensors, and settings that only a file's name tells.

A layout says how one of their classes names and shapes its tensors; it is asked with shapes alone, before anything is
built. Source: mit-han-lab/once-for-all (MIT), whose classes rename some tensors when they load.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from core.config import Settings
from core.supernets.loaders.base import Fixed

if TYPE_CHECKING:
    from torch import Tensor

    from core.supernets.base import Supernet

Shapes = Mapping[str, tuple[int, ...]]
RESOLUTIONS = tuple(range(128, 225, 4))
"""Sides of images that the authors trained on."""
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Reading:
    """What the shapes of a checkpoint say it is.

    Attributes:
        family, config: of the supernet that has these shapes.
        title: a name to propose.
        facts: sentences about what was read and what was assumed.
        fixed: parts that no choice changes.
    """

    family: str
    config: Settings
    title: str
    facts: tuple[str, ...]
    fixed: tuple[Fixed, ...] = ()


class Layout(ABC):
    """One of their classes.

    Attributes:
        title: what a person calls it.
        marks: names of tensors, in plain form, that it has and the others do not.
    """

    title: ClassVar[str]
    marks: ClassVar[tuple[str, ...]]

    @abstractmethod
    def read(self, shapes: Shapes, hints: Mapping[str, Sequence[float]]) -> Reading:
        """What a checkpoint of this class is.

        Args:
            shapes: tensor, by its plain name, -> its shape.
            hints: options of depth ("d"), expansion ("e"), kernel ("k") and width ("w") that the file's name gives.

        Raises:
            InvalidInput: its shapes are not those of this class; KeyError: a tensor is not there.
        """

    @abstractmethod
    def names(self, net: Supernet) -> dict[str, str]:
        """Tensor of our supernet -> its plain name in the checkpoint."""

    def ours(self, name: str, tensor: Tensor) -> Tensor:
        """A tensor of the checkpoint as our supernet stores it."""
        return tensor


def plain_name(name: str) -> str:
    """The name of a tensor without what versions and kinds of their layers add to it.

    Their dynamic layers wrap plain ones ("bn.bn.weight"), the first release called a block's layers
    "mobile_inverted_conv", and training on several devices puts "module." in front.
    """
    name = name.removeprefix("module.").replace(".mobile_inverted_conv.", ".conv.")
    name = re.sub(r"(\.bn)+\.", ".bn.", name)
    name = re.sub(r"(\.linear)+\.", ".linear.", name)
    return re.sub(r"(\.conv)+\.(?=weight$|\d+to\d+_matrix$)", ".conv.", name)


def hints_of(name: str) -> dict[str, tuple[float, ...]]:
    """Options that a file's name gives: "ofa_mbv3_d234_e346_k357_w1.2", "ofa_resnet50_d=0+1+2_e=0.2+0.25"."""
    found: dict[str, tuple[float, ...]] = {}
    for key, equals, text in re.findall(r"(?:^|_)([dekw])(=?)((?:\d+(?:\.\d+)?\+?)+)", name):
        listed = text.split("+") if "+" in text or "." in text or equals else list(text)
        values = tuple(sorted({float(each) for each in listed if each}))
        if len(values) <= 16:
            found[key] = values
    return found


@dataclass
class Assumed:
    """Options that a file's name gives or that were taken as published, and the sentences about it."""

    named: list[str] = field(default_factory=list)
    published: list[str] = field(default_factory=list)

    def options(
        self, label: str, most: float, hinted: Sequence[float] | None, usual: Sequence[float]
    ) -> tuple[float, ...]:
        """Settings up to the largest one: those the name gives, or the usual ones.

        Args:
            label: of the setting, in plural ("depths").
            most: what the shapes say is the largest.
            hinted: what the file's name says, None for nothing.
            usual: the published list.
        """
        told = hinted is not None and max(hinted) == most
        values = sorted({each for each in (hinted if told and hinted else usual) if each < most} | {most})
        shown = f"{label} {', '.join(f'{value:g}' for value in values)}"
        (self.named if told else self.published).append(shown)
        return tuple(values)

    def facts(self) -> list[str]:
        """One sentence for each source."""
        found = []
        if self.named:
            found.append(f"As the file's name says: {'; '.join(self.named)}.")
        if self.published:
            found.append(
                "The file holds the largest network, not which smaller settings it was trained for. Taken as published: "
                f"{'; '.join(self.published)}."
            )
        return found


def first_fit(fits: Callable[[float], bool], candidates: Sequence[float]) -> float | None:
    """The first candidate that fits."""
    return next((candidate for candidate in candidates if fits(candidate)), None)


def pixel_facts(resolutions: Sequence[int]) -> list[str]:
    """What a checkpoint never says of its images."""
    return [
        f"Images are taken at {resolutions[-1]} pixels and normalized by ImageNet's mean and deviation, and resized to sides from "
        f"{resolutions[0]} up. A checkpoint does not say so; the authors' code does."
    ]
