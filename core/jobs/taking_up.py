"""What servers do with the runs that the end of a server, or of a worker, interrupted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from core.errors import CoreError, InvalidInput, NotFound
from core.store.leases import Again, Interrupted

if TYPE_CHECKING:
    from core.store import RunStore
    from core.store.signing import Owner

AGAIN = Again("Its server or worker ended. Taken up again at {:.2%}.".format, most=2)
"""A run that was taken up twice without getting further may be what ends servers. The log is the record of what happened to
it; the line says how far it was, so each place counts anew."""

_log = logging.getLogger(__name__)


class Jobs(Protocol):
    """The jobs of one store, as far as they are taken up."""

    taken_up: tuple[str, ...]
    left_alone: tuple[str, ...]

    @property
    def store(self) -> RunStore: ...

    @property
    def queued_for(self) -> Owner: ...

    def is_queued(self, run_id: str) -> None: ...


class TakingUp:
    """Queues interrupted runs again; those of the command line were stopped at a terminal, by a person."""

    def __init__(self) -> None:
        self._left: set[tuple[str, int]] = set()

    def look(self, places: Iterable[Callable[[], Jobs]]) -> None:
        """Queue the interrupted runs of several stores again, each where it was in its queue.

        A store that cannot be used for the moment leaves everything as it is, and is in no other's way.
        """
        stopped: list[tuple[Interrupted, Jobs]] = []
        for opened in places:
            try:
                jobs = opened()
                stopped += [(each, jobs) for each in jobs.store.leases.interrupted()]
            except CoreError as error:
                _log.warning("nothing was taken up: %s", error)
        for each, jobs in sorted(stopped, key=lambda found: found[0].created):
            if (each.run_id, each.attempt) not in self._left:
                try:
                    self._take_up(each, jobs)
                except CoreError as error:
                    _log.warning("run %s was not taken up: %s", each.run_id, error)

    def _take_up(self, run: Interrupted, jobs: Jobs) -> None:
        with suppress(InvalidInput, NotFound):  # another server, or a person, was faster
            if jobs.store.leases.take_up(run.run_id, jobs.queued_for, AGAIN):
                jobs.is_queued(run.run_id)
                jobs.taken_up = with_one(jobs.taken_up, run.run_id)
            else:
                self._left.add((run.run_id, run.attempt))
                jobs.left_alone = with_one(jobs.left_alone, run.run_id)


def with_one(ids: tuple[str, ...], one: str) -> tuple[str, ...]:
    """The ids with that one last."""
    return (*(each for each in ids if each != one), one)
