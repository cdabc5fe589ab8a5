"""Experiments about pruning as their runs keep them: whole parts of rows, and what they say."""

from __future__ import annotations

from typing import ClassVar

from core.library.results import Record
from core.pruning.experiments.base import Row

KIND = "prune_experiment"


class ExperimentRecord(Record):
    """What a run of `prune_experiment` keeps, written anew after every part.

    Attributes:
        parts: rows of each part that is done; a part that was stopped is measured again.
        verdict: plain sentences that the rows so far give.
    """

    FILE: ClassVar[str] = "rows.json"
    parts: tuple[tuple[Row, ...], ...] = ()
    verdict: tuple[str, ...] = ()

    @property
    def rows(self) -> list[Row]:
        """All rows measured so far."""
        return [row for part in self.parts for row in part]
