"""A server that is drained takes nothing from the queue, finishes what it has, and takes work again when it is told."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from core.jobs import JobManager, dispatching
from core.records import RunState
from core.store import RunStore
from core.store.signing import NOBODY


class Started:
    """In the place of a worker's supervisor: it starts, and never ends by itself."""

    ids: list[str] = []
    weight_class, sandbox_id = "light", None

    def __init__(self, store: RunStore, run_id: str, kind: str, attempt: int, *_: object) -> None:
        self.run_id, self.attempt = run_id, attempt

    def start(self) -> None:
        self.ids.append(self.run_id)

    def stop(self, state: RunState) -> None: ...

    def tick(self) -> None: ...

    def join(self, seconds: float) -> None: ...


def test_it_takes_nothing_and_what_runs_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatching, "Supervisor", Started)
    monkeypatch.setattr(dispatching, "_BEAT_SECONDS", 0.0)
    monkeypatch.setattr(dispatching, "_CLOSE_SECONDS", 0.1)
    monkeypatch.setattr(Started, "ids", [])
    with RunStore(f"sqlite:///{tmp_path / 'p.db'}", tmp_path) as store:
        manager = JobManager(store, workers=5)
        ticked = threading.Event()
        tick = manager._tick

        def and_tell() -> None:
            tick()
            ticked.set()

        monkeypatch.setattr(manager, "_tick", and_tell)

        def wait(n: int) -> None:
            for _ in range(n):
                ticked.clear()
                manager._wake.set()
                assert ticked.wait(5)

        def queue() -> str:
            return store.create_run("measure_sample", {}, title="t", owner=NOBODY)

        first = queue()
        wait(3)
        assert Started.ids == [first]
        store.servers.drain(manager.owner.owner_id, True)
        wait(2)
        second = queue()
        wait(4)
        assert Started.ids == [first]
        assert store.get_run(first).state is RunState.RUNNING
        assert store.get_run(second).state is RunState.QUEUED
        store.servers.drain(manager.owner.owner_id, False)
        wait(4)
        assert Started.ids == [first, second]
        manager.close()
