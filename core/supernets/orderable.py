"""Units of a supernet that may change places, and which entries of its parameters go with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["output", "input", "elementwise"]


@dataclass(frozen=True)
class UnitSlice:
    """Entries of one parameter that belong to the units of an `Orderable`.

    Attributes:
        parameter: name in the supernet.
        axis: along which the units lie.
        entries: consecutive ones of a unit (the size of an attention head).
        offset: where the first unit starts.
        role: "output" (makes the unit), "input" (reads it), "elementwise" (scales or shifts it).
    """

    parameter: str
    axis: int
    entries: int = 1
    offset: int = 0
    role: Role = "output"


@dataclass(frozen=True)
class Orderable:
    """Units of a supernet that may change places with each other, with every entry that goes with them.

    Attributes:
        label: what a person reads, different for each of a supernet.
        size: number of units.
        slices: of parameters.
    """

    label: str
    size: int
    slices: tuple[UnitSlice, ...]
