"""What a search writes down and finds again: measurements by step, what it was told first, its seconds, its end."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import InvalidInput
from core.library.csv_tables import search_bytes
from core.library.front_so_far import FrontSoFar
from core.library.searches import EVALUATIONS_FILE, TOLD, SearchRecord
from core.records import Measurement, Metrics
from core.search import Problem

if TYPE_CHECKING:
    from core.ledger import Ledger

MOST_IDLE = 20
"""Batches in a row without one new architecture, after which an algorithm is taken to be done."""
OTHER_REQUEST = (
    "The stored measurements do not follow from this run's settings, so it cannot be continued exactly. "
    "They are kept; start the search again as a new run."
)


class Spent:
    """Seconds that a search took, without what whoever drives it does between two steps.

    Attributes:
        seconds: so far.
        proposing_seconds: of them, in the algorithm.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.seconds = self.proposing_seconds = 0.0
        self._before = (0.0, 0.0)

    @property
    def metrics(self) -> dict[str, float]:
        return {"seconds": self.seconds, "proposing_seconds": self.proposing_seconds}

    @contextmanager
    def measuring(self) -> Iterator[None]:
        began = self._clock()
        yield
        self.seconds += self._clock() - began

    @contextmanager
    def proposing(self) -> Iterator[None]:
        began = self._clock()
        yield
        took = self._clock() - began
        self.seconds += took
        self.proposing_seconds += took

    def as_stored(self, row: Metrics | None, done: int, more: int) -> None:
        """Go back to what was written down after a batch, whatever its repetition took.

        Args:
            row: the metrics of the batch. A kill may have come before them, and earlier releases wrote no seconds:
                then the batch counts as much per architecture as those before it.
            done: architectures measured before it.
            more: architectures of the batch.
        """
        if row is not None and "seconds" in row:
            now = float(row["seconds"]), float(row["proposing_seconds"])
        else:
            now = tuple(s * (done + more) / max(done, 1) for s in self._before)  # type: ignore[assignment]
        self.seconds, self.proposing_seconds = self._before = now


@dataclass(frozen=True)
class Limits:
    """When a search ends.

    Attributes:
        budget: distinct architectures to measure at most.
        seconds: that proposing and measuring may take; None for no limit.
    """

    budget: int
    seconds: float | None = None

    def over(self, seconds: float) -> bool:
        """Whether the time is spent."""
        return seconds >= (self.seconds or math.inf)

    def fraction(self, done: int, budget: int, seconds: float) -> float:
        """0-1, by whichever end is nearer; of a space that is smaller than the budget, of that."""
        return min(1.0, max(done / max(budget, 1), seconds / (self.seconds or math.inf)))

    def why_ended(self, seconds: float) -> list[str]:
        """A sentence if the time is spent, else none."""
        return [f"Its {self.seconds:,g} seconds are spent."] if self.over(seconds) else []


def told_first(
    wanted: bool,
    stored: dict[int, list[Measurement]],
    earlier: Callable[[], list[Measurement]],
    ledger: Ledger,
) -> list[Measurement]:
    """What the search is told before its first question; written down, so that a resumed run is told the same.

    Args:
        wanted: whether the request names earlier searches.
        stored: the record by step; what is told is taken out of it.
        earlier: reads what those searches measured.
        ledger: of the run.

    Raises:
        InvalidInput: the record belongs to another request.
    """
    if TOLD in stored:
        told = stored.pop(TOLD)
        if not wanted:
            raise InvalidInput(OTHER_REQUEST)
        return told
    if not wanted:
        return []
    if stored:
        raise InvalidInput(OTHER_REQUEST)
    told = earlier()
    ledger.add_measurements(TOLD, told)
    return told


def by_step(ledger: Ledger) -> dict[int, list[Measurement]]:
    """Measurements of a record by their step, in the order they were added."""
    steps: dict[int, list[Measurement]] = {}
    for step, measurement in ledger.measurements():
        steps.setdefault(step, []).append(measurement)
    return steps


def save(
    problem: Problem,
    measurements: list[Measurement],
    told: int,
    front: FrontSoFar,
    ledger: Ledger,
) -> None:
    """Keep the table of all measurements and the end of the search.

    Args:
        problem: what was searched for.
        measurements: all, those that it was told first in front.
        told: how many of them it was told.
        front: of what was measured.
        ledger: of the run.
    """
    table = search_bytes(problem.space, problem.objectives, problem.constraints, measurements)
    ledger.save_artifact(EVALUATIONS_FILE, table, "text/csv")
    SearchRecord(
        **front.metrics,  # type: ignore[arg-type]
        reference=front.reference,
        sources=tuple(sorted({str(m.how(o.name)) for m in measurements for o in problem.objectives})),
        told=told,
    ).save(ledger)
