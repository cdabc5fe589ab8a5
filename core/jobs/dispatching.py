"""The dispatcher of a server: a thread that claims what is next in the queue, runs it, and signs that it lives."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from core.errors import CoreError, NotFound
from core.jobs.kinds import WEIGHT_CLASSES, weight_class
from core.jobs.queue import Queued, SandboxQueue, fair_order
from core.jobs.supervisor import Supervisor
from core.jobs.taking_up import AGAIN, TakingUp, with_one
from core.jobs.watching import Watch
from core.people.asking import own_work
from core.records import RunState
from core.store import RunStore
from core.store.sandboxes import Sandboxes
from core.store.signing import NOBODY, Owner

LEASE_SECONDS = 20.0
"""An owner on another machine whose counter stands still for so long is dead."""

IN_CLASS_SECONDS = 300.0
"""A class works as long as a student asked for anything so lately."""

STUCK_SECONDS = 180.0
"""A dispatcher that has not looked for jobs for so long waits for something that does not come: longer than a database
is given to answer."""

_APART = tuple((weight,) for weight in WEIGHT_CLASSES)
_IN_CLASS = (("training", "measuring"), ("light",))
_TICK_SECONDS = 0.2
_IDLE_SECONDS = 1.0
_BEAT_SECONDS = 1.0
_IDLE_SIGN_SECONDS = 5.0
_CLOSE_SECONDS = 3.0
_REFUSED_SECONDS = 2.0
_CLOSED = "The server was stopped. What was saved is kept: the run goes on when a server starts."


@dataclass
class Tally:
    """What the jobs of a server have come to since it started, for whoever watches it.

    Attributes:
        ended: state -> how many jobs ended so.
        seconds: weight class -> seconds that those which ended were at work.
    """

    ended: Counter[str] = field(default_factory=Counter)
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))


class Dispatcher:
    """What a server does by itself; `JobManager` is what it is asked for."""

    queued_for = NOBODY

    def __init__(
        self,
        store: RunStore,
        sandboxes: Sandboxes,
        *,
        does: str,
        workers: int,
        takes_up: bool,
        tell: Callable[[str], None],
    ) -> None:
        """Nothing is started yet; arguments as `JobManager`."""
        self.store, self.sandboxes = store, sandboxes
        self.owner, self.does, self.workers = Owner(), does, workers
        self.sandboxed = SandboxQueue()
        self.taken_up: tuple[str, ...] = ()
        self.left_alone: tuple[str, ...] = ()
        self._lock = threading.Lock()
        self._running: dict[str, Supervisor] = {}
        self.tally = Tally()
        self._paused: set[str] = set()
        self._served: list[str] = []
        self._turn = 0
        self._watch, self._taking_up = Watch(store, self.owner), TakingUp()
        self._takes_up, self._tell = takes_up, tell
        self._next_beat = self._next_sign = 0.0
        self._signed = (0, 0)
        self._said, self._looked = "", time.monotonic()
        self._draining = False
        self._refused: dict[str, float] = {}
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._dispatcher = threading.Thread(target=self._dispatch, name="job-dispatcher", daemon=True)

    def is_queued(self, run_id: str) -> None:
        """A run taken up is in the queue, which is the store's own."""

    @property
    def looks_after_jobs(self) -> bool:
        """Whether the thread that starts and ends jobs lives, and has looked lately."""
        return self._dispatcher.is_alive() and time.monotonic() - self._looked < STUCK_SECONDS

    def work_seconds(self) -> dict[str, float]:
        """Weight class -> seconds that this server's jobs have been at work since it started."""
        with self._lock:
            found = self.tally.seconds.copy()
            for each in self._running.values():
                found[each.weight_class] += each.seconds
        return dict(found)

    def is_busy(self, sandbox_id: str) -> bool:
        """Whether a job of a sandbox runs now."""
        with self._lock:
            return any(each.sandbox_id == sandbox_id for each in self._running.values())

    def _begin(self, first: Callable[[], None] | None) -> None:
        """Look for what others left, do what comes before any start, and start the thread."""
        with own_work():  # whoever opened the first page
            self._look()
            if first is not None:
                first()
            self._sign()
        self._dispatcher.start()

    def close(self) -> None:
        """Stop all workers and hand their runs back to the queue, for any server; takes a few seconds at most."""
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
        for supervisor in supervisors:
            if supervisor.sandbox_id is None:
                with suppress(CoreError):
                    self._hand_back(supervisor.run_id, supervisor.attempt)
        for job in self.sandboxed.all():
            with suppress(CoreError):
                job.store.set_state(job.run_id, RunState.INTERRUPTED, _CLOSED)
        with suppress(CoreError):
            self.store.servers.end(self.owner)

    def _hand_back(self, run_id: str, attempt: int) -> None:
        if self.store.leases.hand_back(run_id, attempt, self.owner, _CLOSED):
            self._tell(f"handed back {run_id}")

    def _dispatch(self) -> None:
        while not self._closing.is_set():
            self._looked = time.monotonic()
            try:
                self._tick()
                self._said = ""
            except CoreError as error:
                if str(error) != self._said:  # a database that is away is away for more than one look
                    self._said = str(error)
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
        queue = [] if self._draining else [*self._main_queue(), *self.sandboxed.all()]
        if queue:
            self._see_turns()
        for sort in self._sorts():
            free = self.workers - sum(each.weight_class in sort for each in running.values())
            while free > 0 and self._start_next(queue, sort):
                free -= 1
        now = time.monotonic()
        if now >= self._next_beat:
            self._next_beat = now + _BEAT_SECONDS
            self._beat()

    def _beat(self) -> None:
        """Say that this server lives, end what it has lost, and look for what others left."""
        with self._lock:
            running = {run_id: each for run_id, each in self._running.items() if each.sandbox_id is None}
        if running:
            self.store.leases.beat(self.owner)
        self._sign()
        self._draining = self.store.servers.is_drained(self.owner)
        held = self.store.leases.held(self.owner)
        for run_id, supervisor in running.items():
            if held.get(run_id) != supervisor.attempt:  # it has ended, or was taken over while we stood still
                supervisor.stop(RunState.INTERRUPTED)
        for run_id, attempt in held.items():
            if run_id not in running:  # claimed, and the database's answer was lost on the way
                self._hand_back(run_id, attempt)
        self._look()
        if self._takes_up and self.store.leases.interrupted():
            self._taking_up.look([lambda: self])
            self._wake.set()

    def _look(self) -> None:
        """Notice who died, and what died with them."""
        for run_id in self._watch.look(LEASE_SECONDS, _BEAT_SECONDS, AGAIN if self._takes_up else None):
            self._is_cut_short(run_id)

    def _is_cut_short(self, run_id: str) -> None:
        """A run that its owner's end cut short, or its worker's: it waits again, unless it was left alone."""
        if self.store.get_run(run_id).state is not RunState.INTERRUPTED:
            with self._lock:
                self.taken_up = with_one(self.taken_up, run_id)

    def _sign(self) -> None:
        """Sign this server's row: with each beat while it works, seldom while it idles.

        On one machine its process vouches for it, so that an idle server on a SQLite file writes nothing.
        """
        now = time.monotonic()
        with self._lock:
            says = (len(self._running), sum(each.sandbox_id is not None for each in self._running.values()))
        vouched = self.store.is_local and self.owner.alive_here()
        due = says[0] > 0 or (now >= self._next_sign and not vouched)
        if due or says != self._signed or not self._next_sign:
            self._next_sign, self._signed = now + _IDLE_SIGN_SECONDS, says
            self.store.servers.sign(self.owner, does=self.does, workers=self.workers, in_sandboxes=says[1])

    def _main_queue(self) -> list[Queued]:
        waiting = self.store.leases.queued(self.owner.owner_id)
        return [Queued(job.run_id, job.kind, job.session, job.begun, store=self.store) for job in waiting]

    def _sorts(self) -> tuple[tuple[str, ...], ...]:
        """Weight classes of which one job together runs at a time."""
        return _IN_CLASS if self.sandboxes.in_use(IN_CLASS_SECONDS) else _APART

    def _order(self, queue: Sequence[Queued], sort: Sequence[str]) -> list[Queued]:
        with self._lock:
            served = list(self._served)
        fits = [job for job in queue if job.sandbox_id not in self._paused and weight_class(job.kind) in sort]
        return fair_order(fits, served)

    def _see_turns(self) -> None:
        """Whose turn it was, on any server."""
        for number, session in self.store.leases.turns(self._turn):
            self._turn = number
            self._had_a_turn(session)

    def _had_a_turn(self, session: str) -> None:
        with self._lock:
            if session in self._served:
                self._served.remove(session)
            self._served.append(session)

    def _start_next(self, queue: list[Queued], sort: Sequence[str]) -> bool:
        """Start what is next of a sort and take it out of `queue`; False if nothing can start."""
        for job in self._order(queue, sort):
            if job.sandbox_id is not None and self.is_busy(job.sandbox_id):  # a student has one at a time
                continue
            if time.monotonic() < self._refused.get(job.run_id, 0.0):
                continue
            queue.remove(job)
            attempt = self._claim(job)
            if attempt is None:
                self._refuse(job.run_id)
                continue
            again = AGAIN if self._takes_up and job.sandbox_id is None else None
            supervisor = Supervisor(job.store, job.run_id, job.kind, attempt, self._ended, again)
            with self._lock:
                self._running[job.run_id] = supervisor
            if job.sandbox_id is None:
                self._see_turns()
            else:
                self._had_a_turn(job.session)
            supervisor.start()
            self._tell(f"started {job.kind} {job.run_id}, start {attempt}")
            return True
        return False

    def _refuse(self, run_id: str) -> None:
        """Leave a run for a moment that others took, or that has to wait for its owner's other runs."""
        now = time.monotonic()
        self._refused = {each: until for each, until in self._refused.items() if until > now}
        self._refused[run_id] = now + _REFUSED_SECONDS

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
            ended = self._running.pop(run_id, None)
            if ended is not None:
                self.tally.seconds[ended.weight_class] += ended.seconds
        with suppress(CoreError):
            if ended is not None:
                state = ended.store.get_run(run_id).state
                with self._lock:
                    self.tally.ended[state] += 1
                if ended.sandbox_id is None:
                    self._tell(f"ended {run_id}: {state}")
                    if state is RunState.QUEUED and not self._closing.is_set():
                        self._is_cut_short(run_id)
        self._wake.set()
