"""One decision of a search space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Arch = tuple[int, ...]
"""An architecture: one option index per choice, in canonical form."""

Option = int | float | str


@dataclass(frozen=True)
class Choice:
    """One decision and its options.

    Options of an ordinal choice are listed from the cheapest to the most expensive, so that index 0
    everywhere is the smallest architecture and the last index everywhere the largest.

    Attributes:
        name: identifier, also the key in an architecture's JSON.
        options: the values, at least one, all different.
        ordinal: whether the options have an order (widths do, operations do not).
        requires: (name of an earlier choice, option indices) under which this choice matters. Where
            it does not (a block beyond the depth), its canonical option is index 0.
    """

    name: str
    options: tuple[Option, ...]
    ordinal: bool = True
    requires: tuple[str, tuple[int, ...]] | None = None

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ValueError(f"a choice's name must be an identifier, not {self.name!r}")
        if not 1 <= len(self.options) <= 36 or len(set(self.options)) != len(self.options):
            raise ValueError(f"choice {self.name!r} needs 1 to 36 different options")


def within_depth(depth_choice: str, depths: Sequence[int], block: int) -> tuple[str, tuple[int, ...]] | None:
    """`requires` of a choice about the block of that number (from 1): the depths that have it.

    None where every depth has it.
    """
    deep_enough = tuple(i for i, depth in enumerate(depths) if depth >= block)
    return None if len(deep_enough) == len(depths) else (depth_choice, deep_enough)
