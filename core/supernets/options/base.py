"""What one block of a chain may be: an option owns its weights, whose first channels serve smaller widths.

An option is asked at one place of the chain, for the widths that flow in and out there. It runs, is cut out as a
plain block, and writes down what it does (`core.supernets.counting`), from which its costs are counted.
`tests/contracts/test_families.py` holds every registered option to that, in the examples of the family `chain`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from core.config import BaseConfig
from core.supernets.counting import Count, Value
from core.supernets.statistics import Statistics


@dataclass(frozen=True)
class Place:
    """Where in a chain an option stands.

    Attributes:
        most_in, most_out: channels that flow in and out at most.
        stride: by which it divides height and width, rounded up.
        size: height and width of what flows in.
        keeps: whether it never changes width nor resolution.
    """

    most_in: int
    most_out: int
    stride: int
    size: tuple[int, int]
    keeps: bool


class Option(nn.Module):
    """One option of a block.

    Attributes:
        drawn: a few letters for a drawing.
        kinds: numbers in its settings -> what a choice among options that differ in nothing else decides,
            as `core.spaces.choice.Choice.kind` has it.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    source: ClassVar[str]
    drawn: ClassVar[str]
    Config: ClassVar[type[BaseConfig]] = BaseConfig
    kinds: ClassVar[Mapping[str, str]] = {}

    def __init__(self, config: Any, place: Place) -> None:
        super().__init__()
        self.config, self.place = config, place

    def forward(self, x: Tensor, width: int, statistics: Statistics | None = None) -> Tensor:
        """(n, in, h, w) -> (n, width, h / stride, w / stride), rounded up."""
        raise TypeError(f"{type(self).__name__} must define forward")

    def extract(self, in_width: int, width: int, statistics: Statistics | None) -> nn.Module:
        """A plain block of its weights."""
        raise TypeError(f"{type(self).__name__} must define extract")

    def count(self, count: Count, x: Value, width: int) -> Value:
        """Write down what it does with x; returns what comes out."""
        raise TypeError(f"{type(self).__name__} must define count")

    def keeps(self, in_width: int, width: int) -> bool:
        """Whether neither width nor resolution change."""
        return self.place.stride == 1 and in_width == width

    def does_nothing(self, in_width: int, width: int) -> bool:
        """Whether it hands on what it gets."""
        return False
