"""The order of waiting jobs: everybody in turn.

First come first served would let one session that submits fifty searches keep a class waiting. A student is one session,
whatever tabs are open.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from core.store.leases import Waiting

if TYPE_CHECKING:
    from core.store import RunStore

W = TypeVar("W", bound=Waiting)


@dataclass(frozen=True)
class Queued(Waiting):
    """A queued run and the store it is in."""

    store: RunStore = field(kw_only=True)

    @property
    def sandbox_id(self) -> str | None:
        return self.store.sandbox_id


class SandboxQueue:
    """The queued runs of all sandboxes, first come first.

    Thirty databases are not asked five times a second: only the manager queues in them, so it remembers. The databases
    decide nevertheless: what was cancelled there meanwhile is not started.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: dict[str, Queued] = {}

    def add(self, job: Queued) -> None:
        with self._lock:
            self._jobs[job.run_id] = job

    def remove(self, run_id: str) -> None:
        with self._lock:
            self._jobs.pop(run_id, None)

    def all(self) -> list[Queued]:
        with self._lock:
            return list(self._jobs.values())

    def of(self, sandbox_id: str) -> list[Queued]:
        return [job for job in self.all() if job.sandbox_id == sandbox_id]


def fair_order(waiting: Sequence[W], served: Sequence[str]) -> list[W]:
    """The order in which waiting jobs will start: one job per session in each round.

    Args:
        waiting: queued jobs, first come first.
        served: sessions that have had a job, longest ago first. Who has had none comes before them.

    Returns:
        All of `waiting`, next first.
    """
    by_session: dict[str, list[W]] = {}
    for job in waiting:
        by_session.setdefault(job.session, []).append(job)
    last_turn = {session: turn for turn, session in enumerate(served)}
    sessions = sorted(by_session, key=lambda session: last_turn.get(session, -1))
    rounds = max((len(jobs) for jobs in by_session.values()), default=0)
    return [
        by_session[session][turn]
        for turn in range(rounds)
        for session in sessions
        if turn < len(by_session[session])
    ]
