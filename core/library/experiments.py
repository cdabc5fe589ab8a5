"""Experiments about pruning as their runs keep them: whole parts of rows, and what they say."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from core.library.results import Record
from core.pruning.experiments.base import Row

KIND = "prune_experiment"


class ExperimentRecord(Record):
    """What a run of `prune_experiment` keeps, written anew after every part.

    Attributes:
        parts: rows of each part that is done; a part that was stopped is measured again.
        verdict: plain sentences that the rows so far give.
        ahead: rows of parts that were done before their turn, by their place.
    """

    FILE: ClassVar[str] = "rows.json"
    parts: tuple[tuple[Row, ...], ...] = ()
    verdict: tuple[str, ...] = ()
    ahead: dict[int, tuple[Row, ...]] = Field(default_factory=dict)

    def done(self, index: int) -> bool:
        """Whether a part need not be measured again."""
        return index < len(self.parts) or index in self.ahead

    def with_part(self, index: int, rows: tuple[Row, ...]) -> ExperimentRecord:
        """With the rows of one part more; `parts` are the first ones, whichever was done first. Its verdict is the old one."""
        parts, ahead = [*self.parts], {**self.ahead, index: rows}
        while len(parts) in ahead:
            parts.append(ahead.pop(len(parts)))
        return self.model_copy(update={"parts": tuple(parts), "ahead": ahead})

    @property
    def rows(self) -> list[Row]:
        """All rows measured so far."""
        return [row for part in self.parts for row in part]
