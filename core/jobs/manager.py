"""Starts, cancels and resumes jobs, and notices when a server died with some.

One manager per server process, of which several may work for one store. Its dispatcher thread claims what
is next in the one fair queue, signs the leases of its runs, and passes on cancellations; each running job
has a supervisor thread. Everything a page shows comes from the store, so a page in another process sees the same.

The manager's own interface is that of the main store's jobs; `within` gives the same held to a student's sandbox, which
stays with the server of its home. They take turns with everybody. While a class works, one heavy
worker runs, not one of each sort: two cores have pages to serve as well.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

from core.config import JsonObject
from core.errors import CoreError, InvalidInput
from core.jobs.dispatching import Dispatcher
from core.jobs.kinds import require_kind, weight_class
from core.jobs.queue import Queued
from core.jobs.waiting import wait_for
from core.jobs.within import SandboxJobs
from core.records import Run, RunState
from core.settings import settings
from core.store import RunStore
from core.store.sandboxes import Sandboxes
from core.store.servers import PAGES
from core.store.signing import NOBODY

MAX_QUEUED = 60
"""Waiting jobs one session may have: a race of five settings over twelve seeds; sessions take turns whatever waits."""

MAX_WAITING = 200
"""Waiting jobs of all sessions together: a new tab is a new session, so their own limit is not enough."""


class JobManager(Dispatcher):
    """The jobs of one server: of its main store, and of the sandboxes beside it (`within`)."""

    paused = False

    def __init__(
        self,
        store: RunStore,
        sandboxes: Sandboxes | None = None,
        *,
        does: str = PAGES,
        workers: int | None = None,
        takes_up: bool = False,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Mark the runs of dead servers as interrupted, put away what killed processes left, and start.

        Args:
            store: the main one.
            sandboxes: those of its home.
            does: of `core.store.servers`; a server of jobs alone leaves sandboxes to that of the pages.
            workers: jobs of each sort at a time; None for what is set (PARETOSCOPE_WORKERS).
            takes_up: queue again what ends of servers and workers interrupt, now and as long as it lives.
            tell: told in a line what starts and how it ended.

        Raises:
            InvalidInput: the store is in memory, where a worker cannot reach it; or the setting is no number.
        """
        if store.in_memory:
            raise InvalidInput("Jobs need a store on the disk: choose a database file.")
        super().__init__(
            store,
            sandboxes or Sandboxes(store.home),
            does=does,
            workers=settings().workers if workers is None else workers,
            takes_up=takes_up,
            tell=tell,
        )
        self._admission = threading.Lock()
        self._within: dict[str, SandboxJobs] = {}
        self._tidy()
        self._begin(self.take_up if takes_up else None)

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
            return self.store.create_run(kind, params, title=title, seed=seed, session=session, owner=NOBODY)

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
            self.store.leases.enqueue(run_id, NOBODY)

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

    def take_up(self) -> None:
        """Queue again what the end of a server, or of a worker, interrupted; each where it was in the queue.

        `taken_up` are the ids of those runs, and of those that a server handed back. `left_alone` are those that were
        taken up twice already without getting further: a person has to resume them. Nobody takes up runs of the command
        line, which a person stopped at a terminal. A store that cannot be used for the moment leaves everything as it
        is, and is in no other's way.
        """
        within = self.sandboxes.unfinished() if self.does == PAGES else []
        self._taking_up.look([lambda: self, *(partial(self.within, each) for each in within)])
        with suppress(CoreError):
            back = [job.run_id for job in self.store.leases.queued(self.owner.owner_id) if job.begun]
            self.taken_up = tuple(dict.fromkeys([*self.taken_up, *back]))
        self._wake.set()

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
