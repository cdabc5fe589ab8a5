"""The jobs of one student: what `JobManager` offers, held to one sandbox.

Every question goes to the sandbox's own store first, so an id of another store is an id that does not exist.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING, Protocol

from core.config import JsonObject
from core.errors import CoreError, InvalidInput
from core.jobs.kinds import require_kind
from core.jobs.queue import Queued, SandboxQueue
from core.jobs.waiting import wait_for
from core.jobs.watching import DIED
from core.records import Run, RunState

if TYPE_CHECKING:
    from core.store.sandboxes import SandboxStore
    from core.store.signing import Owner

MOST_WAITING = 2
"""Waiting jobs of a student; one more runs."""

_STOP_SECONDS = 4.0


class Manager(Protocol):
    """What a sandbox's jobs need of the manager (`core.jobs.manager`)."""

    owner: Owner
    sandboxed: SandboxQueue

    def admission(self, session: str | None, also: Callable[[], None]) -> AbstractContextManager[None]: ...

    def stop_running(self, run_id: str) -> None: ...

    def is_paused(self, sandbox_id: str) -> bool: ...

    def is_busy(self, sandbox_id: str) -> bool: ...

    def place_of(self, job: Queued) -> int | None: ...

    def worker_pid(self, run_id: str) -> int | None: ...


class SandboxJobs:
    """The jobs of one sandbox, in the queue they share with everybody's."""

    def __init__(self, manager: Manager, store: SandboxStore) -> None:
        """Mark the runs of dead servers as interrupted and put away what killed processes left.

        Sandboxes lie on this machine: who signed a run here and cannot be seen to live is dead.
        """
        self.store = store
        self._manager = manager
        self.taken_up: tuple[str, ...] = ()
        self.left_alone: tuple[str, ...] = ()
        with suppress(CoreError):  # damaged: the pages say so
            store.sweep()
            for lease in store.leases.of_others(manager.owner):
                if not lease.owner.alive_here():
                    store.leases.interrupt(lease, DIED)

    @property
    def sandbox_id(self) -> str:
        return self.store.sandbox_id

    @property
    def session(self) -> str:
        """Whose turn it is: the student's, in any tab."""
        return f"sandbox {self.sandbox_id}"

    @property
    def paused(self) -> bool:
        """Whether the teacher lets none of these jobs start for now."""
        return self._manager.is_paused(self.sandbox_id)

    def submit(
        self, kind: str, params: JsonObject, *, title: str, seed: int = 0, session: str = "local"
    ) -> str:
        """As `JobManager.submit`.

        Raises:
            NotFound, InvalidInput: as there, or too many of this student's jobs are waiting.
            StorageFailed: the sandbox is full.
        """
        require_kind(kind)
        with self._manager.admission(self.session, self._require_room):
            run_id = self.store.create_run(
                kind, params, title=title, seed=seed, session=self.session, owner=self._manager.owner
            )
            self._queue(run_id, kind)
        return run_id

    def resume(self, run_id: str) -> None:
        """As `JobManager.resume`.

        Raises:
            NotFound, InvalidInput: as there, or too many of this student's jobs are waiting.
            StorageFailed: the sandbox is full.
        """
        with self._manager.admission(None, self._require_room):
            kind = self.run(run_id).kind
            self.store.room.require(0)
            self.store.leases.enqueue(run_id, self._manager.owner)
            self._queue(run_id, kind)

    @property
    def queued_for(self) -> Owner:
        """Whose these jobs are while they wait: this server's, whose home the sandbox is in."""
        return self._manager.owner

    def is_queued(self, run_id: str) -> None:
        """What the end of a server interrupted waits again; its place among the two it took when it was asked for."""
        self._queue(run_id, self.run(run_id).kind)

    def cancel(self, run_id: str) -> None:
        """As `JobManager.cancel`.

        Raises:
            NotFound: there is no such run in this sandbox.
        """
        state = self.store.leases.request_cancel(run_id)
        if state is RunState.CANCELLED:
            self._manager.sandboxed.remove(run_id)
        self._manager.stop_running(run_id)

    def runs(self) -> list[Run]:
        """All runs of the sandbox, newest first."""
        return self.store.list_runs()

    def run(self, run_id: str) -> Run:
        """One run as it is now.

        Raises:
            NotFound: there is no such run in this sandbox.
        """
        return self.store.get_run(run_id)

    def queue_position(self, run_id: str) -> int | None:
        """As `JobManager.queue_position`; None also while the teacher has paused the jobs."""
        own = next((job for job in self._manager.sandboxed.of(self.sandbox_id) if job.run_id == run_id), None)
        return None if own is None else self._manager.place_of(own)

    def wait(self, run_id: str, timeout: float) -> Run:
        """The run once it has ended, or as it is after `timeout` seconds."""
        return wait_for(self.run, run_id, timeout)

    def worker_pid(self, run_id: str) -> int | None:
        """As `JobManager.worker_pid`.

        Raises:
            NotFound: there is no such run in this sandbox.
        """
        self.run(run_id)
        return self._manager.worker_pid(run_id)

    def stop_all(self) -> None:
        """Cancel what runs and waits, and wait for the end.

        Raises:
            InvalidInput: a job does not stop.
        """
        for run in self.runs():
            if not run.state.is_final:
                self.cancel(run.run_id)
        deadline = time.monotonic() + _STOP_SECONDS
        while self._manager.is_busy(self.sandbox_id):
            if time.monotonic() > deadline:
                raise InvalidInput("A job of this student does not stop yet; try again in a moment.")
            time.sleep(0.02)

    def _queue(self, run_id: str, kind: str) -> None:
        self._manager.sandboxed.add(Queued(run_id, kind, self.session, store=self.store))

    def _require_room(self) -> None:
        if len(self._manager.sandboxed.of(self.sandbox_id)) >= MOST_WAITING:
            raise InvalidInput(
                "Two of your jobs are waiting already, which is the most in a class; let one finish or cancel it first."
            )
