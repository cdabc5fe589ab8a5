"""How much of a search space was measured, and how that is said: the whole of it, or the best of what was looked at.

A front of some subnets of a space is not the front of the space. Whatever is drawn, counted or written from such
a table says of how many subnets it is the best.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import InvalidInput
from core.spaces import SearchSpace
from core.words import count_of, format_count

MOST_WHOLE = 200_000
"""Subnets up to which measuring each of them is offered; larger spaces are searched and sampled."""


@dataclass(frozen=True)
class Coverage:
    """How many subnets of a space a table holds.

    Attributes:
        measured: rows of the table.
        size: of the space; exact, of any magnitude.
    """

    measured: int
    size: int

    @property
    def complete(self) -> bool:
        """Whether the table holds the whole space, so that its front is exact."""
        return self.measured >= self.size

    @property
    def sentence(self) -> str:
        """What a front of this table is, for a person; "" for an exact one."""
        if self.complete:
            return ""
        return f"The best of {format_count(self.measured)} measured subnets of {format_count(self.size)}, not the exact front."

    @property
    def short(self) -> str:
        """The same in a caption: `the best of 312 measured subnets of 2.1 × 10¹⁹`."""
        if self.complete:
            return f"{count_of(self.measured, 'subnet')} evaluated, the whole space"
        return f"the best of {format_count(self.measured)} measured subnets of {format_count(self.size)}"


def can_be_whole(space: SearchSpace) -> bool:
    """Whether measuring every subnet of a space is worth offering."""
    return bool(space.size <= MOST_WHOLE)


def require_whole(space: SearchSpace, what: str, limit: int) -> None:
    """Refuse what needs every architecture of a space that has too many.

    Args:
        space: the space.
        what: that is refused, the subject of a sentence.
        limit: most architectures it takes.

    Raises:
        InvalidInput: the space has more.
    """
    if space.size > limit:
        raise InvalidInput(
            f"{what} takes every subnet of a space, at most {format_count(limit)}; this one has {format_count(space.size)}. "
            "Search it, or measure a sample."
        )
