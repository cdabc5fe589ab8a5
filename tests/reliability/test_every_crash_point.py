"""Death and power loss at every single step of writing, one after the other, not at random.

The process dies at its k-th call of the system or the database, for every k of a whole run: from then on
nothing it does has any effect. For a power loss, renames whose folder was not synced are undone besides,
and files that were not synced lose their end: the worst that a disk may do. (SQLite's own log is trusted
to keep what it has committed with `synchronous=FULL`.)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.library.library import Library
from core.records import RunState
from core.store import RunStore
from core.store import blobs as blobs_module
from tests.reliability.kill_harness import fingerprint
from tests.reliability.toys import search_toy, train_toy

pytestmark = pytest.mark.slow

WORKFLOWS: dict[str, tuple[Any, dict[str, int]]] = {
    "train_toy": (train_toy, {"steps": 3, "payload": 200}),
    "search_toy": (search_toy, {"steps": 3}),
}


class Died(BaseException):
    """The process is no more; nothing may catch this."""


class Machine:
    """The system as the store sees it, which stops at the k-th call."""

    def __init__(self, k: int) -> None:
        self.k = k
        self.calls = 0
        self.unsynced_files: set[str] = set()
        self.unsynced_renames: list[tuple[Path, bytes | None]] = []

    def call(self) -> None:
        self.calls += 1
        if self.calls >= self.k:
            raise Died

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.call()
            return function(*args, **kwargs)

        return wrapped

    def write(self, descriptor: int, data: bytes) -> int:
        self.call()
        path = os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115
        self.unsynced_files.add(path)
        return os.write(descriptor, data)

    def fsync(self, descriptor: int) -> None:
        self.call()
        path = os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115
        self.unsynced_files.discard(path)
        self.unsynced_renames = [(p, old) for p, old in self.unsynced_renames if str(p.parent) != path]

    def rename(self, source: Path, target: Path) -> Path:
        self.call()
        old = target.read_bytes() if target.exists() else None
        os.rename(source, target)  # noqa: PTH104
        if str(source) in self.unsynced_files:
            self.unsynced_files.add(str(target))
        self.unsynced_renames.append((target, old))
        return target

    def lose_power(self) -> None:
        for name in self.unsynced_files:
            path = Path(name)
            if path.exists():
                path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        for path, old in reversed(self.unsynced_renames):
            if old is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(old)


@contextmanager
def running_on(machine: Machine, store: RunStore, patch: pytest.MonkeyPatch) -> Iterator[None]:
    calls = {"open": machine.wrap(os.open), "close": os.close, "write": machine.write, "fsync": machine.fsync}
    names = {name: getattr(os, name) for name in dir(os)}
    dialect = store._database.engine.dialect
    with patch.context() as context:
        context.setattr(blobs_module, "os", SimpleNamespace(**names | calls))
        context.setattr(Path, "replace", lambda source, target: machine.rename(source, target))
        context.setattr(Path, "unlink", machine.wrap(Path.unlink))
        for name in ("do_execute", "do_executemany", "do_commit"):
            context.setattr(dialect, name, machine.wrap(getattr(dialect, name)))
        yield


def work(store: RunStore, run_id: str, kind: str, acknowledged: list[int]) -> None:
    module, params = WORKFLOWS[kind]
    for _ in module.run(module.Request(**params), store.ledger(run_id), Library(store)):
        acknowledged.append(store.count_measurements(run_id))


@pytest.mark.parametrize(
    ("kind", "power_loss"),
    [
        ("train_toy", True),
        ("search_toy", False),
        pytest.param("train_toy", False, marks=pytest.mark.long),
        pytest.param("search_toy", True, marks=pytest.mark.long),
    ],
)
def test_dying_at_every_call(
    kind: str, power_loss: bool, memory_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened() -> RunStore:
        return RunStore(f"sqlite:///{memory_folder / 'p.db'}", memory_folder)

    def new_run(store: RunStore) -> str:
        return store.create_run(kind, {}, title="t", state=RunState.RUNNING)

    with opened() as store:
        whole = new_run(store)
        work(store, whole, kind, [])
        expected = fingerprint(store.ledger(whole))
        store.set_state(whole, RunState.DONE)
        store.delete_run(whole)  # its files would spare the others the writing
    k = deaths = 0
    while True:
        k += 1
        machine, acknowledged = Machine(k), [0]
        with opened() as store:
            run_id = new_run(store)
            with running_on(machine, store, monkeypatch), suppress(Died):
                work(store, run_id, kind, acknowledged)
        died = machine.calls >= k
        deaths += died
        if power_loss and died:
            machine.lose_power()
        with opened() as store:
            store.sweep()
            assert store.check() == []  # I2, I3
            assert not [p for p in (memory_folder / "blobs").iterdir() if p.name.startswith(".tmp")]  # I6
            assert store.count_measurements(run_id) >= acknowledged[-1]  # I1
            work(store, run_id, kind, [])
            assert fingerprint(store.ledger(run_id)) == expected  # I5
            store.set_state(run_id, RunState.DONE)
            store.delete_run(run_id)
        if not died:
            break
    assert deaths > 30


def test_the_power_loss_would_find_a_missing_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same disk, with a store that forgets to sync its folder."""
    monkeypatch.setattr(blobs_module, "fsync_folder", lambda folder: None)
    with RunStore(f"sqlite:///{tmp_path / 'p.db'}", tmp_path) as store:
        run_id = store.create_run("train_toy", {}, title="t", state=RunState.RUNNING)
        machine = Machine(10**9)
        with running_on(machine, store, monkeypatch):
            work(store, run_id, "train_toy", [])
        machine.lose_power()
        assert store.check() != []
