"""Whatever the disk refuses, and whenever: one plain sentence, and the state from before or after."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from core.errors import StorageFailed
from core.records import Measurement, RunState
from core.store import RunLedger, RunStore
from core.store import blobs as blobs_module


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    with RunStore(f"sqlite:///{tmp_path / 'p.db'}", tmp_path) as opened:
        yield opened


class FailingDisk:
    """Fails the k-th call of the system made through the blobs module or the database."""

    def __init__(self, error: int) -> None:
        self.error = error
        self.countdown = -1
        self.calls = 0

    def call(self) -> None:
        self.calls += 1
        self.countdown -= 1
        if self.countdown == 0:
            raise OSError(self.error, os.strerror(self.error))

    def wrap(self, function: Callable[..., object]) -> Callable[..., object]:
        def wrapped(*args: object, **kwargs: object) -> object:
            self.call()
            return function(*args, **kwargs)

        return wrapped


@contextmanager
def failing(monkeypatch: pytest.MonkeyPatch, store: RunStore, disk: FailingDisk, k: int) -> Iterator[None]:
    names = ("open", "write", "fsync", "close")
    shim = {name: getattr(os, name) for name in dir(os)} | {
        name: disk.wrap(getattr(os, name)) for name in names
    }
    with monkeypatch.context() as patch:
        patch.setattr(blobs_module, "os", SimpleNamespace(**shim))
        patch.setattr(Path, "replace", disk.wrap(Path.replace))
        patch.setattr(
            store._database.engine.dialect, "do_execute", disk.wrap(store._database.engine.dialect.do_execute)
        )
        patch.setattr(
            store._database.engine.dialect, "do_commit", disk.wrap(store._database.engine.dialect.do_commit)
        )
        disk.countdown = k
        yield


def state_of(ledger: RunLedger) -> tuple[object, ...]:
    return (ledger.latest_checkpoint(), ledger.measurements(), ledger.metrics(), ledger.artifacts())


OPERATIONS: dict[str, Callable[[RunLedger], object]] = {
    "checkpoint": lambda ledger: ledger.checkpoint(b"new" * 1000, fraction=0.9),
    "measurements": lambda ledger: ledger.add_measurements(
        9, [Measurement((i,), {"a": 0.5}) for i in range(5)]
    ),
    "metrics": lambda ledger: ledger.log_metrics(0, {"loss": 2.0}),
    "artifact": lambda ledger: ledger.save_artifact("weights", b"new weights", "text/plain"),
}


@pytest.mark.slow
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EFBIG, errno.EROFS])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_call_may_fail(
    operation: str, error: int, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    act = OPERATIONS[operation]

    def fresh() -> RunLedger:
        ledger = store.ledger(store.create_run("train_x", {}, title="t", state=RunState.RUNNING))
        for step in range(3):
            ledger.add_measurements(step, [Measurement((step,), {"a": 0.1})])
            ledger.log_metrics(step, {"loss": 1.0})
            ledger.checkpoint(f"old {step}".encode(), fraction=0.1 * step)
        ledger.save_artifact("weights", b"old weights", "text/plain")
        return ledger

    done = fresh()
    act(done)
    before, after = state_of(fresh()), state_of(done)
    assert before != after
    failures = k = 0
    while True:
        k += 1
        ledger, disk = fresh(), FailingDisk(error)
        failed, said = False, ""
        with failing(monkeypatch, store, disk, k):
            try:
                act(ledger)
            except StorageFailed as raised:
                failed, said = True, str(raised)
        assert not failed or ("intact" in said and "\n" not in said)
        assert store.check() == []
        assert state_of(ledger) in ((before, after) if failed else (after,))
        failures += failed
        if not failed:  # space again: the same write goes through
            assert state_of(ledger) == after
        else:
            act(ledger)
        if disk.calls < k:
            break
    assert failures >= 4, "the failing disk was never asked"
    assert store.sweep() >= 0
    assert store.check() == []


LIMITED = """
import resource, sys, pathlib
from core.errors import StorageFailed
from core.records import Measurement, RunState
from core.store import RunStore
home = pathlib.Path(sys.argv[1])
store = RunStore(f"sqlite:///{home / 'p.db'}", home)
ledger = store.ledger(store.create_run("train_x", {}, title="t", state=RunState.RUNNING))
ledger.checkpoint(b"first", fraction=0.1)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
said = set()
try:
    ledger.checkpoint(b"x" * 400_000, fraction=0.2)
except StorageFailed as error:
    said.add(str(error))
saved = 0
try:
    for step in range(10_000):
        ledger.add_measurements(step, [Measurement((i, 1, 2), {"accuracy": 0.5}) for i in range(20)])
        saved += 1
except StorageFailed as error:
    said.add(str(error))
print(saved, len(said))
print(*said, sep="\\n")
"""


def test_a_file_size_limit_keeps_everything_saved(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    saved, n_sentences = (int(word) for word in done.stdout.splitlines()[0].split())
    assert n_sentences == 2, done.stdout
    assert all("intact" in line for line in done.stdout.splitlines()[1:])
    with RunStore(f"sqlite:///{tmp_path / 'p.db'}", tmp_path) as store:
        ledger = store.ledger(store.list_runs()[0].run_id)
        assert ledger.latest_checkpoint() == b"first"
        assert len(ledger.measurements()) == 20 * saved > 0
        assert (store.check(), store.sweep()) == ([], 0)
        ledger.add_measurements(0, [Measurement((0,), {"accuracy": 0.5})])


def fill(ledger: RunLedger) -> int:
    """Add batches of 50 measurements until the disk is full; returns how many were acknowledged."""
    batch = [Measurement((i,), {"accuracy": 0.5}) for i in range(50)]
    for saved in range(10_000):
        try:
            ledger.add_measurements(saved, batch)
        except StorageFailed as error:
            if "full" in str(error):
                return saved
            raise
    pytest.fail("the disk never filled up")


def test_a_small_file_system_fills_up_and_recovers(tmp_path: Path) -> None:
    """A real full disk, where this user may mount one."""
    mount = tmp_path / "small"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(mount)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("this user may not mount a file system")
    try:
        with RunStore(f"sqlite:///{mount / 'p.db'}", mount) as store:
            ledger = store.ledger(store.create_run("train_x", {}, title="t", state=RunState.RUNNING))
            ledger.checkpoint(b"first", fraction=0.1)
            saved = fill(ledger)
            with pytest.raises(StorageFailed, match="full"):
                ledger.checkpoint(b"x" * 900_000, fraction=0.2)
            assert (ledger.latest_checkpoint(), len(ledger.measurements())) == (b"first", 50 * saved)
            assert store.check() == []
    finally:
        subprocess.run(["umount", str(mount)], check=True)
