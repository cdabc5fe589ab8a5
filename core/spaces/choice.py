"""One decision of a search space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.config import JsonObject

Arch = tuple[int, ...]
"""An architecture: one option index per choice, in canonical form."""

Option = int | float | str


@dataclass(frozen=True)
class Choice:
    """One decision and its options.

    What a choice decides and in what order is said here, and never read from its name. Two choices are
    equal if they have the same name, options, order and condition: `kind`, `unit` and `ends` explain an
    architecture and change none, and files written before they existed do not have them.

    Attributes:
        name: identifier, also the key in an architecture's JSON.
        options: the values, at least one, all different.
        kind: what is decided, one word: "width", "depth", "kernel", "heads", "ratio", "resolution",
            "operation", "bits", "exit", "anchor", or a family's own; empty where nobody said.
        ordinal: whether the options stand in order, from the cheapest to the most expensive, each
            containing the one before (widths do, operations do not).
        unit: what an option counts ("channels"); empty where it has none.
        requires: (name of an earlier choice, option indices) under which this choice matters. Where
            it does not (a block beyond the depth), its canonical option is index 0.
        ends: (option index of the smallest, of the largest architecture), for options without an
            order whose family knows two that compute something; None leaves such a choice without.
    """

    name: str
    options: tuple[Option, ...]
    kind: str = field(default="", compare=False)
    ordinal: bool = True
    unit: str = field(default="", compare=False)
    requires: tuple[str, tuple[int, ...]] | None = None
    ends: tuple[int, int] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ValueError(f"a choice's name must be an identifier, not {self.name!r}")
        if not 1 <= len(self.options) <= 36 or len(set(self.options)) != len(self.options):
            raise ValueError(f"choice {self.name!r} needs 1 to 36 different options")
        if self.kind and not self.kind.isidentifier():
            raise ValueError(f"the kind of {self.name!r} must be one word, not {self.kind!r}")
        if len(self.kind) > 40 or len(self.unit) > 40:
            raise ValueError(f"kind and unit of {self.name!r} have at most 40 characters")
        if self.ends is not None:
            if self.ordinal:
                raise ValueError(f"the order of {self.name!r} says already which options are its ends")
            if not all(0 <= end < len(self.options) for end in self.ends):
                raise ValueError(f"the ends of {self.name!r} must be option indices")

    @property
    def extremes(self) -> tuple[int, int] | None:
        """Option indices of the smallest and the largest architecture; None where there is neither."""
        return (0, len(self.options) - 1) if self.ordinal else self.ends


def within_depth(depth_choice: str, depths: Sequence[int], block: int) -> tuple[str, tuple[int, ...]] | None:
    """`requires` of a choice about the block of that number (from 1): the depths that have it.

    None where every depth has it.
    """
    deep_enough = tuple(i for i, depth in enumerate(depths) if depth >= block)
    return None if len(deep_enough) == len(depths) else (depth_choice, deep_enough)


def require_ascending(options: Mapping[str, Sequence[int]]) -> None:
    """Options of ordered choices, by what a person calls them, go from small to large.

    Raises:
        ValueError: some are empty, do not ascend or are not positive.
    """
    for label, values in options.items():
        if not values or list(values) != sorted(set(values)) or values[0] < 1:
            raise ValueError(f"{label} must be ascending positive numbers")


def identity(choice: Choice) -> JsonObject:
    """What two choices must share to be equal; stored fingerprints are made of exactly this."""
    found: dict[str, Any] = {"name": choice.name, "options": list(choice.options), "ordinal": choice.ordinal}
    if choice.requires:
        found["requires"] = [choice.requires[0], list(choice.requires[1])]
    return found


def read_choice(data: Mapping[str, Any]) -> Choice:
    """The choice that a stored description means; raises what broken data raise."""
    requires, ends = data.get("requires"), data.get("ends")
    return Choice(
        data["name"],
        tuple(data["options"]),
        str(data.get("kind", "")),
        ordinal=bool(data.get("ordinal", True)),
        unit=str(data.get("unit", "")),
        requires=(requires[0], tuple(requires[1])) if requires else None,
        ends=(int(ends[0]), int(ends[1])) if ends else None,
    )
