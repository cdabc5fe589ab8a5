"""Kills workers at random moments, resumes them, and compares with a run nobody disturbed.

`run_with_kills` drives any workflow through the real job manager and worker process. After every kill it
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
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.jobs import JobManager
from core.records import Measurement, RunState
from core.store import Ledger, RunStore

PARTS = ("measurements", "metrics", "artifacts", "checkpoint")
TIMED = ("seconds", "latency", "time", "eta", "elapsed", "per_second")
"""Parts of names whose values depend on the clock and are exempt from equality."""


@dataclass(frozen=True)
class KillReport:
    """What a campaign did.

    Attributes:
        final_hash: of the undisturbed run and, since nothing was violated, of every other.
        kills: workers killed while alive.
        completed: disturbed runs that reached their end.
        seconds: duration of the campaign without the undisturbed run.
        reference_seconds: duration of the undisturbed run.
    """

    final_hash: str
    kills: int
    completed: int
    seconds: float
    reference_seconds: float


def run_with_kills(
    kind: str,
    params: Mapping[str, Any],
    kills: int,
    seed: int,
    *,
    home: Path | None = None,
    parts: Sequence[str] = PARTS,
    run_seconds: float = 600.0,
    after_kill: Callable[[RunStore, str], None] | None = None,
) -> KillReport:
    """Kill the workers of `kind` until `kills` have died, and let every run complete.

    Args:
        kind: workflow; PARETOSCOPE_WORKFLOWS says of which package.
        params: its request. Must be deterministic given its seed.
        kills: workers to kill with SIGKILL, each at a uniformly random moment of a run's duration.
        seed: of the moments.
        home: folder of the store; a temporary one if None.
        parts: what must be equal, of `PARTS`.
        run_seconds: an undisturbed run is given up after this time.
        after_kill: further checks.

    Raises:
        AssertionError: one of the invariants was violated.
    """
    if home is None:
        with tempfile.TemporaryDirectory() as folder:
            return run_with_kills(
                kind, params, kills, seed, home=Path(folder), parts=parts, run_seconds=run_seconds,
                after_kill=after_kill,
            )  # fmt: skip
    rng = random.Random(seed)
    store = RunStore(f"sqlite:///{home / 'kills.db'}", home)
    manager = JobManager(store)
    try:
        began = time.monotonic()
        reference = manager.wait(manager.submit(kind, params, title="undisturbed"), run_seconds)
        duration = time.monotonic() - began
        assert reference.state is RunState.DONE, reference.message
        expected = fingerprint(store.ledger(reference.run_id), parts)
        began, killed, completed = time.monotonic(), 0, 0
        while killed < kills:
            killed += _one_run(
                manager, kind, params, kills - killed, rng, duration, run_seconds, expected, parts, after_kill
            )
            completed += 1
        seconds = time.monotonic() - began
        assert store.check() == []
    finally:
        manager.close()
        store.close()
    return KillReport(expected, killed, completed, seconds, duration)


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


def _untimed(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if not any(word in name for word in TIMED)}


def _one_run(
    manager: JobManager,
    kind: str,
    params: Mapping[str, Any],
    kills: int,
    rng: random.Random,
    duration: float,
    run_seconds: float,
    expected: str,
    parts: Sequence[str],
    after_kill: Callable[[RunStore, str], None] | None,
) -> int:
    """One run to its end, with at most `kills` kills on the way; returns how many it took."""
    store = manager.store
    run_id = manager.submit(kind, params, title="disturbed")
    killed = 0
    while True:
        if killed < kills:
            killed += _kill_at(manager, run_id, rng.uniform(0.0, duration))
        run = manager.wait(run_id, run_seconds)
        if run.state is RunState.DONE:
            break
        assert run.state is RunState.INTERRUPTED, (run.state, run.message)
        assert store.check() == []
        if after_kill is not None:
            after_kill(store, run_id)
        manager.resume(run_id)
    assert fingerprint(store.ledger(run_id), parts) == expected, "resumed and undisturbed run differ"
    store.sweep()
    assert not [path for path in (store.home / "blobs").iterdir() if path.name.startswith(".tmp-")]
    store.delete_run(run_id)
    return killed


def _kill_at(manager: JobManager, run_id: str, delay: float) -> int:
    """Kill the worker `delay` seconds after its start; 0 if it ended before."""
    pid = _until(lambda: manager.worker_pid(run_id) or manager.run(run_id).state.is_final, 30.0)
    deadline = time.monotonic() + delay
    while time.monotonic() < deadline and not manager.run(run_id).state.is_final:
        time.sleep(min(0.02, max(0.0, deadline - time.monotonic())))
    before = _seen(manager.store, run_id)
    if pid is True or manager.worker_pid(run_id) != pid or manager.run(run_id).state.is_final:
        return 0
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return 0
    run = manager.wait(run_id, 30.0)
    after = _seen(manager.store, run_id)
    assert after[: len(before)] == before, "something that was stored has gone or changed"
    return int(run.state is RunState.INTERRUPTED)


def _seen(store: RunStore, run_id: str) -> list[Any]:
    """All that a reader of the store can see of a run's growing record."""
    return [(step, m.arch, dict(m.values), _told(m)) for step, m in store.ledger(run_id).measurements()]


def _told(measurement: Measurement) -> dict[str, str]:
    return {name: str(how) for name, how in measurement.obtained.items()}


def _until(condition: Callable[[], Any], seconds: float) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)
    return value
