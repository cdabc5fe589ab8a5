"""Starts, cancels and resumes jobs, and notices when a server died with some.

One manager per server process. Its dispatcher thread starts what is next in a fair queue, signs the
leases of its runs, and passes on cancellations; each running job has a supervisor thread. Everything a
page shows comes from the store, so a page in another process sees the same.

The manager's own interface is that of the main store's jobs; `within` gives the same held to a student's sandbox. Both
share one queue. While a class works, one heavy worker runs, not one of each sort: two cores have pages to serve as well.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial

from core.config import JsonObject
from core.errors import CoreError, InvalidInput, NotFound
from core.jobs.kinds import WEIGHT_CLASSES, require_kind, weight_class
from core.jobs.queue import Queued, SandboxQueue, fair_order
from core.jobs.supervisor import Supervisor
from core.jobs.taking_up import take_up
from core.jobs.waiting import wait_for
from core.jobs.within import SandboxJobs
from core.records import Run, RunState
from core.store import RunStore
from core.store.leases import Lease, Owner
from core.store.sandboxes import Sandboxes

MAX_QUEUED = 60
"""Waiting jobs one session may have: a race of five settings over twelve seeds; sessions take turns whatever waits."""

MAX_WAITING = 200
"""Waiting jobs of all sessions together: a new tab is a new session, so their own limit is not enough."""

LEASE_SECONDS = 20.0
"""An owner on another machine whose counter stands still for so long is dead."""

IN_CLASS_SECONDS = 300.0
"""A class works as long as a student asked for anything so lately."""

_APART = tuple((weight,) for weight in WEIGHT_CLASSES)
_IN_CLASS = (("training", "measuring"), ("light",))
_TICK_SECONDS = 0.2
_IDLE_SECONDS = 1.0
_BEAT_SECONDS = 1.0
_CLOSE_SECONDS = 3.0
_DIED = "The server that ran this has gone. What was saved is kept: the run goes on when a server starts."
_CLOSED = "The server was stopped. What was saved is kept: the run goes on when a server starts."


class JobManager:
    """The jobs of one server: of its main store, and of the sandboxes beside it (`within`)."""

    paused = False

    def __init__(self, store: RunStore, sandboxes: Sandboxes | None = None) -> None:
        """Mark the runs of dead servers as interrupted, put away what killed processes left, and start.

        Args:
            store: the main one.
            sandboxes: those of its home.

        Raises:
            InvalidInput: the store is in memory, where a worker cannot reach it.
        """
        if store.in_memory:
            raise InvalidInput("Jobs need a store on the disk: choose a database file.")
        self.store, self.sandboxes = store, sandboxes or Sandboxes(store.home)
        self.owner = Owner()
        self._lock = threading.Lock()
        self._admission = threading.Lock()
        self._running: dict[str, Supervisor] = {}
        self.sandboxed = SandboxQueue()
        self._within: dict[str, SandboxJobs] = {}
        self._paused: set[str] = set()
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
        require_kind(kind)
        with self.admission(session):
            return self.store.create_run(
                kind, params, title=title, seed=seed, session=session, owner=self.owner
            )

    def cancel(self, run_id: str) -> None:
        """Stop a queued or running job within two seconds; nothing happens to one that has ended.

        Raises:
            NotFound: there is no such run.
        """
        self.store.leases.request_cancel(run_id)
        self.stop_running(run_id)

    def stop_running(self, run_id: str) -> None:
        """Stop the worker of a run whose store has taken the wish."""
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
        with self.admission(None):
            self.store.leases.enqueue(run_id, self.owner)

    @contextmanager
    def admission(self, session: str | None, also: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Queue a run inside the block, one at a time, so that quotas hold; `session` asks, None to resume.

        Raises:
            InvalidInput: the server is being stopped, too many jobs are waiting, or `also` says what is against it.
        """
        if self._closing.is_set():
            raise InvalidInput("The server is being stopped and takes no more jobs.")
        with self._admission:
            self._require_room(session)
            also()
            yield
        self._wake.set()

    def within(self, sandbox_id: str) -> SandboxJobs:
        """The jobs of a student's sandbox; a class works as long as somebody asks for them.

        Raises:
            InvalidInput, StorageFailed, DamagedArtifact: the sandbox cannot be opened.
        """
        store = self.sandboxes.open(sandbox_id)
        found = self._within.get(sandbox_id)
        if found is None:
            with self._admission:
                if sandbox_id not in self._within:
                    self._within[sandbox_id] = SandboxJobs(self, store)
                    if self.sandboxes.paused(sandbox_id):
                        self._paused.add(sandbox_id)
                found = self._within[sandbox_id]
        return found

    def pause(self, sandbox_ids: Iterable[str]) -> None:
        """Start nothing new in these sandboxes until `go_on`, also after a restart; what runs finishes.

        It is not interrupted: a class's jobs take seconds, and what an interrupted one has done since it last saved
        would be done twice. Who must have the machine at once cancels.

        Raises:
            StorageFailed: the disk refused it.
        """
        for sandbox_id in sandbox_ids:
            self.sandboxes.pause(sandbox_id, True)
            self._paused.add(sandbox_id)

    def go_on(self, sandbox_ids: Iterable[str]) -> None:
        """Let jobs of these sandboxes start again.

        Raises:
            StorageFailed: the disk refused it.
        """
        for sandbox_id in sandbox_ids:
            self.sandboxes.pause(sandbox_id, False)
            self._paused.discard(sandbox_id)
        self._wake.set()

    def is_paused(self, sandbox_id: str) -> bool:
        """Whether none of a sandbox's jobs may start for now."""
        return sandbox_id in self._paused

    def put_away(self, sandbox_id: str) -> None:
        """Stop what runs and waits in a sandbox and move it to the trash, with a date.

        Raises:
            InvalidInput: a job does not stop; the sandbox is still there.
            StorageFailed: the disk refused it.
        """
        self.within(sandbox_id).stop_all()
        with self._admission:
            self._within.pop(sandbox_id, None)
            self._paused.discard(sandbox_id)
            self.sandboxes.put_away(sandbox_id)

    def is_busy(self, sandbox_id: str) -> bool:
        """Whether a job of a sandbox runs now."""
        with self._lock:
            return any(each.sandbox_id == sandbox_id for each in self._running.values())

    def take_up(self) -> None:
        """Queue again what the end of a server interrupted, oldest first; a server calls it once, when it starts.

        `taken_up` are the ids of those runs. `left_alone` are those that were taken up twice already without
        getting further: a person has to resume them. Nobody takes up runs of the command line, which a person
        stopped at a terminal. A store that cannot be used for the moment leaves everything as it is, and is in no
        other's way.
        """
        take_up([lambda: self, *(partial(self.within, each) for each in self.sandboxes.unfinished())])
        self._wake.set()

    def queue_again(self, run: Run) -> None:
        """Queue what the end of a server interrupted, whatever else waits."""
        self.store.leases.enqueue(run.run_id, self.owner)

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
        return next((self.place_of(job) for job in self._main_queue() if job.run_id == run_id), None)

    def place_of(self, job: Queued) -> int | None:
        """Place of a waiting job among all of its sort, whoever's they are; None if it does not wait."""
        weight = weight_class(job.kind)
        sort = next(weights for weights in self._sorts() if weight in weights)
        order = [each.run_id for each in self._order([*self._main_queue(), *self.sandboxed.all()], sort)]
        return order.index(job.run_id) + 1 if job.run_id in order else None

    def wait(self, run_id: str, timeout: float) -> Run:
        """The run once it has ended, or as it is after `timeout` seconds."""
        return wait_for(self.run, run_id, timeout)

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
            for job in [*self._main_queue(), *self.sandboxed.all()]:
                with suppress(NotFound):
                    job.store.set_state(job.run_id, RunState.INTERRUPTED, _CLOSED)

    def _require_room(self, session: str | None) -> None:
        waiting = [*self._main_queue(), *self.sandboxed.all()]
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
        main = self._main_queue()
        queue = main + self.sandboxed.all()
        for sort in self._sorts():
            if queue and not any(supervisor.weight_class in sort for supervisor in running.values()):
                self._start_next(self._order(queue, sort))
        now = time.monotonic()
        if now >= self._next_beat:
            self._next_beat = now + _BEAT_SECONDS
            if main or any(supervisor.sandbox_id is None for supervisor in running.values()):
                self.store.leases.beat(self.owner)
            self._interrupt_dead()

    def _main_queue(self) -> list[Queued]:
        waiting = self.store.leases.queued(self.owner.owner_id)
        return [Queued(job.run_id, job.kind, job.session, self.store) for job in waiting]

    def _sorts(self) -> tuple[tuple[str, ...], ...]:
        """Weight classes of which one job together runs at a time."""
        return _IN_CLASS if self.sandboxes.in_use(IN_CLASS_SECONDS) else _APART

    def _order(self, queue: Sequence[Queued], sort: Sequence[str]) -> list[Queued]:
        with self._lock:
            served = list(self._served)
        fits = [job for job in queue if job.sandbox_id not in self._paused and weight_class(job.kind) in sort]
        return fair_order(fits, served)

    def _start_next(self, order: list[Queued]) -> None:
        for job in order:
            if job.sandbox_id is not None and self.is_busy(job.sandbox_id):  # a student has one at a time
                continue
            attempt = self._claim(job)
            if attempt is None:
                continue
            supervisor = Supervisor(job.store, job.run_id, job.kind, attempt, self._ended)
            with self._lock:
                self._running[job.run_id] = supervisor
                if job.session in self._served:
                    self._served.remove(job.session)
                self._served.append(job.session)
            supervisor.start()
            return

    def _claim(self, job: Queued) -> int | None:
        """The number of this start; None where it was cancelled in this moment, or its sandbox cannot be used."""
        attempt = None
        try:
            attempt = job.store.leases.claim(job.run_id, self.owner)
        except CoreError as error:
            if job.sandbox_id is None:
                raise
            if not isinstance(error, NotFound):  # a class does not wait for one damaged file
                logging.getLogger(__name__).warning("a student's job waits: %s", error)
                return None
        self.sandboxed.remove(job.run_id)
        return attempt

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
