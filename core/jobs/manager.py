"""Starts, cancels and resumes jobs, and notices when a server died with some.

One manager per server process. Its dispatcher thread starts what is next in a fair queue, signs the
leases of its runs, and passes on cancellations; each running job has a supervisor thread. Everything a
page shows comes from the store, so a page in another process sees the same.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress

from core.config import JsonObject
from core.errors import CoreError, InvalidInput, NotFound
from core.jobs.kinds import WEIGHT_CLASSES, require_kind, weight_class
from core.jobs.queue import fair_order
from core.jobs.supervisor import Supervisor
from core.records import COMMAND_LINE, Run, RunState
from core.store import RunStore
from core.store.leases import Lease, Owner, Waiting

MAX_QUEUED = 60
"""Waiting jobs one session may have: a race of five settings over twelve seeds; sessions take turns whatever waits."""

MAX_WAITING = 200
"""Waiting jobs of all sessions together: a new tab is a new session, so their own limit is not enough."""

LEASE_SECONDS = 20.0
"""An owner on another machine whose counter stands still for so long is dead."""

_TICK_SECONDS = 0.2
_IDLE_SECONDS = 1.0
_BEAT_SECONDS = 1.0
_CLOSE_SECONDS = 3.0
_DIED = "The server that ran this has gone. What was saved is kept: the run goes on when a server starts."
_CLOSED = "The server was stopped. What was saved is kept: the run goes on when a server starts."
_TAKEN_UP = "A server ended during this run. Taken up again at {:.2%}."
_MOST_RESTARTS = 2
"""A run that was taken up so often without getting further may be what ends the server."""


class JobManager:
    """The jobs of one server."""

    def __init__(self, store: RunStore) -> None:
        """Mark the runs of dead servers as interrupted, put away what killed processes left, and start.

        Raises:
            InvalidInput: the store is in memory, where a worker cannot reach it.
        """
        if store.in_memory:
            raise InvalidInput("Jobs need a store on the disk: choose a database file.")
        self.store = store
        self.owner = Owner()
        self._lock = threading.Lock()
        self._admission = threading.Lock()
        self._running: dict[str, Supervisor] = {}
        self._served: list[str] = []
        self._standing: dict[str, tuple[Lease, float]] = {}
        self._next_beat = 0.0
        self._wake = threading.Event()
        self._closing = threading.Event()
        self.taken_up: tuple[str, ...] = ()
        self.left_alone: tuple[str, ...] = ()
        self._tidy()
        self._interrupt_dead()
        self._dispatcher = threading.Thread(target=self._dispatch, name="job-dispatcher", daemon=True)
        self._dispatcher.start()

    def submit(
        self, kind: str, params: JsonObject, *, title: str, seed: int = 0, session: str = "local"
    ) -> str:
        """Queue a new run and return its id.

        Args:
            kind: name of the workflow.
            params: JSON-able request.
            title: what a person reads in a list.
            seed: seed of all chance in the run.
            session: who asks; sessions take turns.

        Raises:
            NotFound: there is no such workflow.
            InvalidInput: too many jobs are waiting, or `params` is no JSON.
        """
        self._require_open()
        require_kind(kind)
        with self._admission:
            self._require_room(session)
            run_id = self.store.create_run(
                kind, params, title=title, seed=seed, session=session, owner=self.owner
            )
        self._wake.set()
        return run_id

    def cancel(self, run_id: str) -> None:
        """Stop a queued or running job within two seconds; nothing happens to one that has ended.

        Raises:
            NotFound: there is no such run.
        """
        self.store.leases.request_cancel(run_id)
        with self._lock:
            supervisor = self._running.get(run_id)
        if supervisor is not None:
            supervisor.stop(RunState.CANCELLED)
        self._wake.set()

    def resume(self, run_id: str) -> None:
        """Queue a failed, cancelled or interrupted run again; it goes on after what it had saved.

        Raises:
            NotFound: there is no such run.
            InvalidInput: it is queued, running or done, or too many jobs are waiting.
        """
        self._require_open()
        with self._admission:
            self._require_room(None)
            self.store.leases.enqueue(run_id, self.owner)
        self._wake.set()

    def take_up(self) -> None:
        """Queue again what the end of a server interrupted, oldest first; a server calls it once, when it starts.

        `taken_up` are the ids of those runs. `left_alone` are those that were taken up twice already without
        getting further: a person has to resume them. Nobody takes up runs of the command line, which a person
        stopped at a terminal. A store that cannot be used for the moment leaves everything as it is.
        """
        try:
            stopped = self.store.list_runs(state=RunState.INTERRUPTED)
            for run in reversed([each for each in stopped if each.session != COMMAND_LINE]):
                self._take_up(run)
        except CoreError as error:
            logging.getLogger(__name__).warning("nothing was taken up: %s", error)
        self._wake.set()

    def _take_up(self, run: Run) -> None:
        # The log is the record of what happened to a run; the line says how far it was, so each place counts anew.
        line = _TAKEN_UP.format(run.fraction)
        if self.store.log_lines(run.run_id).count(line) >= _MOST_RESTARTS:
            self.left_alone += (run.run_id,)
            return
        with suppress(InvalidInput, NotFound):  # another server, or a person, was faster
            self.store.leases.enqueue(run.run_id, self.owner)
            self.store.append_log(run.run_id, line)
            self.taken_up += (run.run_id,)

    def runs(self) -> list[Run]:
        """All runs, newest first."""
        return self.store.list_runs()

    def run(self, run_id: str) -> Run:
        """One run as it is now.

        Raises:
            NotFound: there is no such run.
        """
        return self.store.get_run(run_id)

    def queue_position(self, run_id: str) -> int | None:
        """Place among the waiting jobs of its sort (1 is next), or None if it does not wait here."""
        queue = self.store.leases.queued(self.owner.owner_id)
        this = next((job for job in queue if job.run_id == run_id), None)
        if this is None:
            return None
        return self._order(queue, weight_class(this.kind)).index(this) + 1

    def wait(self, run_id: str, timeout: float) -> Run:
        """The run once it has ended, or as it is after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while True:
            run = self.run(run_id)
            if run.state.is_final or time.monotonic() > deadline:
                return run
            time.sleep(0.03)

    def worker_pid(self, run_id: str) -> int | None:
        """Process id of the worker of a run that this manager runs now."""
        with self._lock:
            supervisor = self._running.get(run_id)
        return supervisor.pid if supervisor else None

    def close(self) -> None:
        """Stop all workers and mark their runs and the queue as interrupted; takes a few seconds at most."""
        self._closing.set()
        self._wake.set()
        self._dispatcher.join()
        with self._lock:
            supervisors = list(self._running.values())
        for supervisor in supervisors:
            supervisor.stop(RunState.INTERRUPTED)
        deadline = time.monotonic() + _CLOSE_SECONDS
        while time.monotonic() < deadline and self._running:
            for supervisor in supervisors:
                supervisor.tick()
            time.sleep(0.02)
        for supervisor in supervisors:
            supervisor.join(0.5)
        with suppress(CoreError):
            for job in self.store.leases.queued(self.owner.owner_id):
                self.store.set_state(job.run_id, RunState.INTERRUPTED, _CLOSED)

    def _require_open(self) -> None:
        if self._closing.is_set():
            raise InvalidInput("The server is being stopped and takes no more jobs.")

    def _require_room(self, session: str | None) -> None:
        waiting = self.store.leases.queued(self.owner.owner_id)
        if len(waiting) >= MAX_WAITING:
            raise InvalidInput(
                f"{MAX_WAITING} jobs are waiting on this server already, from all visitors together; let some "
                "finish or cancel them first."
            )
        if sum(job.session == session for job in waiting) >= MAX_QUEUED:
            raise InvalidInput(f"You have {MAX_QUEUED} jobs waiting; let some finish or cancel them first.")

    def _tidy(self) -> None:
        """Put away what killed processes and deleted runs left; a store that is damaged is left as it is."""
        try:
            self.store.sweep()
        except CoreError as error:
            logging.getLogger(__name__).warning("nothing was put away: %s", error)

    def _dispatch(self) -> None:
        while not self._closing.is_set():
            try:
                self._tick()
            except CoreError as error:
                logging.getLogger(__name__).warning("jobs wait: %s", error)
            except Exception:
                logging.getLogger(__name__).exception("the job dispatcher met an unexpected error")
            self._wake.wait(_TICK_SECONDS if self._running else _IDLE_SECONDS)
            self._wake.clear()

    def _tick(self) -> None:
        with self._lock:
            running = dict(self._running)
        for supervisor in running.values():
            supervisor.tick()
        if running:
            for run_id in self.store.leases.cancel_requests(self.owner):
                if run_id in running:
                    running[run_id].stop(RunState.CANCELLED)
        queue = self.store.leases.queued(self.owner.owner_id)
        for weight in WEIGHT_CLASSES:
            if not any(supervisor.weight_class == weight for supervisor in running.values()):
                self._start_next(self._order(queue, weight))
        now = time.monotonic()
        if now >= self._next_beat:
            self._next_beat = now + _BEAT_SECONDS
            if queue or running:
                self.store.leases.beat(self.owner)
            self._interrupt_dead()

    def _order(self, queue: list[Waiting], weight: str) -> list[Waiting]:
        with self._lock:
            served = list(self._served)
        return fair_order([job for job in queue if weight_class(job.kind) == weight], served)

    def _start_next(self, order: list[Waiting]) -> None:
        for job in order:
            attempt = self.store.leases.claim(job.run_id, self.owner)
            if attempt is None:  # cancelled in this moment
                continue
            supervisor = Supervisor(self.store, job.run_id, job.kind, attempt, self._ended)
            with self._lock:
                self._running[job.run_id] = supervisor
                if job.session in self._served:
                    self._served.remove(job.session)
                self._served.append(job.session)
            supervisor.start()
            return

    def _ended(self, run_id: str) -> None:
        with self._lock:
            self._running.pop(run_id, None)
        self._wake.set()

    def _interrupt_dead(self) -> None:
        """Mark runs whose owner is gone, by its process here or by its standing counter elsewhere."""
        now = time.monotonic()
        leases = self.store.leases.of_others(self.owner)
        standing: dict[str, tuple[Lease, float]] = {}
        for lease in leases:
            alive = lease.owner.alive_here()
            before, since = self._standing.get(lease.run_id, (None, now))
            if before != lease:
                since = now
            if alive is False or (alive is None and now - since > LEASE_SECONDS):
                self.store.leases.interrupt(lease, _DIED)
            else:
                standing[lease.run_id] = (lease, since)
        self._standing = standing
