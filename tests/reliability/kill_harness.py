"""Kills workers at random moments, resumes them, and compares with a run nobody disturbed.

`Campaign` drives any workflow through the real job manager and worker process. After every kill it
checks what must hold (RELIABILITY.md, B4): I1 everything seen as stored is still there, unchanged; I2
every file named by a row exists and matches; I3 the database is sound; I4 the run is marked interrupted
and can be resumed; I5 a completed run equals the undisturbed one; I6 temporary files are swept.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.jobs import JobManager
from core.ledger import Ledger
from core.records import Measurement, RunState
from core.store import RunStore
from tests.reliability.witness import Continuation

PARTS = ("measurements", "metrics", "artifacts", "checkpoint")
TIMED = ("seconds", "latency", "time", "eta", "elapsed", "per_second")
OF_THE_MACHINE = ("memory",)
"""Parts of names whose values depend on the clock and are exempt from equality."""


@dataclass(frozen=True)
class KillReport:
    """What a campaign did.

    Attributes:
        final_hash: of the undisturbed run and, since nothing was violated, of every other.
        kills: workers killed while alive.
        completed: disturbed runs that reached their end.
        seen: kills at which the store held something, which was compared afterwards.
        continued: workers that provably went on after what was stored.
        seconds: duration of the campaign without the undisturbed run.
        reference_seconds: duration of the undisturbed run.
    """

    final_hash: str
    kills: int
    completed: int
    seen: int
    continued: int
    seconds: float
    reference_seconds: float


@dataclass
class Campaign:
    """Kill the workers of a workflow until `kills` have died, and let every run complete.

    Attributes:
        kind: workflow; PARETOSCOPE_WORKFLOWS says of which package.
        params: its request. Must be deterministic given its seed.
        kills: workers to kill with SIGKILL.
        seed: of the moments.
        home: folder of the store.
        parts: what must be equal, of `PARTS`.
        expected: fingerprint of an undisturbed run; one is made if this is "".
        run_seconds: a run is given up after this time.
        after_kill: further checks.
        witness: folder where `Traced` workflows tell what they did. With it a worker is killed at a random
            moment after something it did was stored, so that the next has something to go on from; without it, half
            of the time, at a uniformly random moment of an undisturbed run's duration.
    """

    kind: str
    params: Mapping[str, Any]
    kills: int
    seed: int
    home: Path
    parts: Sequence[str] = PARTS
    expected: str = ""
    run_seconds: float = 600.0
    after_kill: Callable[[RunStore, str], None] | None = None
    witness: Path | None = None

    def run(self) -> KillReport:
        """Do it.

        Raises:
            AssertionError: one of the invariants was violated.
        """
        self.rng, self.duration, self.seen, killed, completed = random.Random(self.seed), 1.0, 0, 0, 0
        self.continuation = Continuation(self.witness, self.kind, self.params) if self.witness else None
        self.store = RunStore(f"sqlite:///{self.home / 'kills.db'}", self.home)
        self.manager = JobManager(self.store)
        try:
            if not self.expected:
                self._undisturbed()
            began = time.monotonic()
            while killed < self.kills:
                killed += self._one_run(self.kills - killed)
                completed += 1
            seconds = time.monotonic() - began
            assert self.store.check() == []
        finally:
            self.manager.close()
            self.store.close()
        proved = self.continuation.proved if self.continuation else 0
        return KillReport(
            final_hash=self.expected,
            kills=killed,
            completed=completed,
            seen=self.seen,
            continued=proved,
            seconds=seconds,
            reference_seconds=self.duration,
        )

    def _undisturbed(self) -> None:
        began = time.monotonic()
        run_id = self.manager.submit(self.kind, self.params, title="undisturbed")
        reference = self.manager.wait(run_id, self.run_seconds)
        self.duration = time.monotonic() - began
        assert reference.state is RunState.DONE, reference.message
        self.expected = fingerprint(self.store.ledger(run_id), self.parts)

    def _one_run(self, kills: int) -> int:
        """One run to its end, with at most `kills` kills on the way; returns how many it took."""
        run_id = self.manager.submit(self.kind, self.params, title="disturbed")
        if self.continuation:
            self.continuation.held[run_id] = [0]
        killed = 0
        while True:
            if killed < kills:
                killed += self._kill(run_id)
            run = self.manager.wait(run_id, self.run_seconds)
            if run.state is RunState.DONE:
                break
            assert run.state is RunState.INTERRUPTED, (run.state, run.message)
            assert self.store.check() == []
            if self.after_kill is not None:
                self.after_kill(self.store, run_id)
            if self.continuation:
                self.continuation.before_start(self.store, run_id)
            self.manager.resume(run_id)
        found = fingerprint(self.store.ledger(run_id), self.parts)
        assert found == self.expected, "resumed and undisturbed run differ"
        if self.continuation:
            self.continuation.require(run_id)
        self.store.sweep()
        assert not [path for path in (self.home / "blobs").iterdir() if path.name.startswith(".tmp-")]
        self.store.delete_run(run_id)
        return killed

    def _kill(self, run_id: str) -> int:
        """Kill the worker at a random moment; 0 if it ended before."""
        manager = self.manager
        pid = _until(lambda: manager.worker_pid(run_id) or manager.run(run_id).state.is_final, 30.0)
        moment = time.monotonic() + self.rng.uniform(0.0, self.duration)
        if self.continuation is not None:
            going_on, held = self.continuation, self.continuation.held[run_id][-1]
            _until(
                lambda: going_on.stored(self.store, run_id) > held or manager.run(run_id).state.is_final,
                120.0,
            )
            moment = time.monotonic() + self.rng.uniform(0.0, 0.5)
        elif self.seen == 0 or self.rng.random() < 0.5:  # most of a short run's duration is loading
            _until(
                lambda: any(_seen(self.store, run_id).values()) or manager.run(run_id).state.is_final, 60.0
            )
            moment = time.monotonic() + self.rng.uniform(0.0, 0.15)
        while time.monotonic() < moment and not manager.run(run_id).state.is_final:
            time.sleep(min(0.02, max(0.0, moment - time.monotonic())))
        before = _seen(self.store, run_id)
        if pid is True or manager.worker_pid(run_id) != pid or manager.run(run_id).state.is_final:
            return 0
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return 0
        run = manager.wait(run_id, 30.0)
        after = _seen(self.store, run_id)
        for name, rows in before.items():
            assert after[name][: len(rows)] == rows, f"{name} that were stored have gone or changed"
        self.seen += any(before.values())
        return int(run.state is RunState.INTERRUPTED)


def fingerprint(ledger: Ledger, parts: Sequence[str] = PARTS) -> str:
    """SHA-256 of what a run has produced, without what a clock decides."""
    content: dict[str, Any] = {
        "measurements": lambda: [
            (step, list(m.arch), _untimed(m.values), _told(m)) for step, m in ledger.measurements()
        ],
        "metrics": lambda: [_untimed(row) for row in ledger.metrics()],
        "artifacts": lambda: [(artifact.name, artifact.sha256) for artifact in ledger.artifacts()],
        "checkpoint": lambda: hashlib.sha256(ledger.latest_checkpoint() or b"").hexdigest(),
    }
    return hashlib.sha256(json.dumps([content[part]() for part in parts]).encode()).hexdigest()


def _told(measurement: Measurement) -> dict[str, str]:
    return {name: str(how) for name, how in measurement.obtained.items()}


def _untimed(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in values.items()
        if name not in OF_THE_MACHINE and not any(word in name for word in TIMED)
    }


def _seen(store: RunStore, run_id: str) -> dict[str, list[Any]]:
    """All that a reader of the store can see of a run's growing record."""
    ledger = store.ledger(run_id)
    return {
        "measurements": [(step, m.arch, _untimed(m.values), _told(m)) for step, m in ledger.measurements()],
        "metrics": [_untimed(row) for row in ledger.metrics()],
        "checkpoints": [True] if ledger.latest_checkpoint() is not None else [],
    }


def _until(condition: Callable[[], Any], seconds: float) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)
    return value
