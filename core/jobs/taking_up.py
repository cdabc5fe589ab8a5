"""What a server that starts does with the runs that the last one's end interrupted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from core.errors import CoreError, InvalidInput, NotFound
from core.records import COMMAND_LINE, Run, RunState

if TYPE_CHECKING:
    from core.store import RunStore

_TAKEN_UP = "A server ended during this run. Taken up again at {:.2%}."
_MOST_RESTARTS = 2
"""A run that was taken up so often without getting further may be what ends the server."""

_log = logging.getLogger(__name__)


class Jobs(Protocol):
    """The jobs of one store, as far as they are taken up."""

    taken_up: tuple[str, ...]
    left_alone: tuple[str, ...]

    @property
    def store(self) -> RunStore: ...

    def queue_again(self, run: Run) -> None: ...


def take_up(places: Iterable[Callable[[], Jobs]]) -> None:
    """Queue the interrupted runs of several stores again, oldest first.

    A store that cannot be used for the moment leaves everything as it is, and is in no other's way.
    """
    stopped: list[tuple[Run, Jobs]] = []
    for opened in places:
        try:
            stopped += _interrupted(opened())
        except CoreError as error:
            _log.warning("nothing was taken up: %s", error)
    for run, jobs in sorted(stopped, key=lambda each: each[0].created):
        try:
            _take_up(run, jobs)
        except CoreError as error:
            _log.warning("run %s was not taken up: %s", run.run_id, error)


def _interrupted(jobs: Jobs) -> list[tuple[Run, Jobs]]:
    """Runs to go on with, in the order in which they were asked for."""
    found = reversed(jobs.store.list_runs(state=RunState.INTERRUPTED))
    return [(run, jobs) for run in found if run.session != COMMAND_LINE]


def _take_up(run: Run, jobs: Jobs) -> None:
    # The log is the record of what happened to a run; the line says how far it was, so each place counts anew.
    line = _TAKEN_UP.format(run.fraction)
    if jobs.store.log_lines(run.run_id).count(line) >= _MOST_RESTARTS:
        jobs.left_alone += (run.run_id,)
        return
    with suppress(InvalidInput, NotFound):  # another server, or a person, was faster
        jobs.queue_again(run)
        jobs.store.append_log(run.run_id, line)
        jobs.taken_up += (run.run_id,)
