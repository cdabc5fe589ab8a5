"""A store on the disk and managers on it, with the toy workflows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.jobs import JobManager
from core.store import RunStore

Opener = Callable[..., JobManager]


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARETOSCOPE_WORKFLOWS", "tests.reliability.toys")


@pytest.fixture
def open_manager(tmp_path: Path) -> Iterator[Opener]:
    """Opens managers on one database, each with its own store, and closes them at the end."""
    opened: list[JobManager] = []

    def open_one(**options: Any) -> JobManager:
        opened.append(JobManager(RunStore(f"sqlite:///{tmp_path / 'p.db'}", tmp_path), **options))
        return opened[-1]

    yield open_one
    for manager in opened:
        manager.close()
        manager.store.close()
        manager.sandboxes.close()


@pytest.fixture
def manager(open_manager: Opener) -> JobManager:
    return open_manager()


def until(condition: Callable[[], object], seconds: float = 15.0) -> object:
    """The first truthy value of `condition`, polled; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)
    return value


@pytest.fixture(name="until")
def until_fixture() -> Callable[..., object]:
    return until
