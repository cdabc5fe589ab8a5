"""Measuring a search's architectures on an executor: a batch divided among its slots, or several questions at once.

What is measured does not depend on where, nor on what else is in the batch. Latency and energy are left to the driver:
nobody knows what else a core of an executor does.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from core.evaluation import group
from core.executors.calls import Call
from core.library import supernets
from core.library.measuring import DataChoice, evaluation_data, with_readings
from core.library.search_in_flight import Answer, Question
from core.library.supernets import SupernetEntry
from core.objectives.base import FromFiles, names_of
from core.records import Measurement
from core.settings import settings
from core.spaces import Arch

if TYPE_CHECKING:
    from core.executors.base import Executor
    from core.executors.session import Session

_PARTS = 2
"""Parts of a batch per slot where it is long: whoever is done first takes another."""
_LONG = 8


class MeasuringElsewhere:
    """An open executor with a supernet and its samples.

    Args:
        session: of the executor, with what `core.evaluation.carried` made as shared bytes.
        entry: the supernet.
        names: objectives.
        keep: most bytes of activations that stay between calls, of all places of one machine together.
    """

    def __init__(self, session: Session, entry: SupernetEntry, names: Sequence[str], *, keep: int) -> None:
        self._session, self._entry, self._names = session, entry, list(names)
        self._on_files = names_of(FromFiles, names)
        self._passes = [name for name in names if name not in self._on_files]
        self._keep = keep
        self._calls = count()

    @property
    def slots(self) -> int:
        """Calls that run at once now."""
        return self._session.slots

    def batch(self, archs: Sequence[Arch]) -> Iterator[Measurement | None]:
        """Measure the architectures of a batch, each yielded once, in any order; None now and then while it waits."""
        found: list[Measurement] = []
        for done in self._session.run(self._call(part) for part in self._parts(archs)):
            if done is None:
                yield None
                continue
            measured = group.measurements(done.value)
            found += measured
            if not self._on_files:
                yield from measured
        if self._on_files:
            yield from with_readings(self._entry, self._names, found)

    def at_once(self, questions: Iterator[Question | None]) -> Generator[Answer | None]:
        """Measure questions as they are asked; yields the answers as they come, None now and then while it waits."""
        numbers: dict[str, int] = {}

        def calls() -> Iterator[Call | None]:
            for question in questions:
                if question is None:
                    yield None
                    continue
                call = self._call(question[1])
                numbers[call.key] = question[0]
                yield call

        for done in self._session.run(calls()):
            yield None if done is None else (numbers.pop(done.key), group.measurements(done.value))

    def _call(self, archs: Sequence[Arch]) -> Call:
        told = group.payload(archs, self._passes, keep=self._keep)
        return Call(f"architectures {next(self._calls) + 1}", group.FUNCTION, told)

    def _parts(self, archs: Sequence[Arch]) -> list[list[Arch]]:
        """In the order of their beginnings, so that a part shares as many as it can."""
        slots = max(self._session.slots, 1)
        parts = slots * (_PARTS if len(archs) >= _LONG * slots else 1)
        cuts = np.array_split(np.arange(len(archs)), parts)
        ordered = sorted(tuple(arch) for arch in archs)
        return [[ordered[at] for at in cut.tolist()] for cut in cuts if len(cut)]


@contextmanager
def measuring_on(
    executor: Executor, entry: SupernetEntry, choice: DataChoice | None, names: Sequence[str], *, keep: int
) -> Iterator[MeasuringElsewhere]:
    """An executor opened to measure subnets of a supernet.

    Args:
        executor: where.
        entry: the supernet.
        choice: data to measure on; the supernet's own if None.
        names: objectives.
        keep: most bytes of activations that stay between calls; values do not depend on it. No more than a quarter of
            what this process may use, for all slots together.

    Raises:
        see `core.library.measuring.evaluation_data` and `Executor.opened`.
    """
    data = evaluation_data(entry, choice, [n for n in names if n not in names_of(FromFiles, names)])
    from core.evaluation.carried import carried

    with executor.opened(carried(supernets.load(entry), data)) as session:
        most = min(keep, settings().worker_memory // 4) // max(session.slots, 1)
        yield MeasuringElsewhere(session, entry, names, keep=most)
