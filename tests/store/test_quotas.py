"""Quotas: what is used up is refused with both numbers and whom to ask; what may not run yet waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.errors import NotAllowed
from core.people import Person
from core.records import RunState
from core.store import RunStore
from core.store.leases import Owner
from core.store.quotas import seconds_today, stored_bytes
from tests.people.acting import ANN, BOB, EVE, tell_apart

Becomes = Callable[[Person | None], None]
HERE = Owner()


@pytest.fixture
def becomes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Becomes:
    return tell_apart(
        monkeypatch, tmp_path, "waiting = 2\nrunning = 1\ngigabytes = 0.000001\nhours_per_day = 1\n"
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    with RunStore("sqlite://", tmp_path / "home") as store:
        yield store


def start(store: RunStore) -> str:
    return store.create_run("train_supernet", {}, title="A run", owner=HERE)


def worked(store: RunStore, run_id: str, seconds: float, ended: float) -> None:
    store.set_state(run_id, RunState.DONE)
    with store._database.write("a test") as connection:
        connection.exec_driver_sql(
            "UPDATE runs SET worked = ?, updated = ? WHERE run_id = ?", (seconds, ended, run_id)
        )


def test_waiting_runs(store: RunStore, becomes: Becomes) -> None:
    becomes(BOB)
    first, _ = start(store), start(store)
    with pytest.raises(NotAllowed, match=r"2 of your runs wait, and 2 may\..*Ann"):
        start(store)
    becomes(EVE)
    start(store)
    becomes(ANN)
    for _ in range(3):
        start(store)
    becomes(BOB)
    store.leases.request_cancel(first)
    start(store)
    with pytest.raises(NotAllowed, match="2 of your runs wait"):
        store.leases.enqueue(first, HERE)


def test_two_tabs_at_once_do_not_both_get_the_last_place(store: RunStore, becomes: Becomes) -> None:
    becomes(BOB)
    start(store)
    results: list[str] = []

    def ask() -> None:
        try:
            results.append(start(store))
        except NotAllowed:
            results.append("")

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sum(map(bool, results)) == 1


def test_running_runs_wait_for_each_other(store: RunStore, becomes: Becomes) -> None:
    becomes(BOB)
    one, two = start(store), start(store)
    becomes(EVE)
    other = start(store)
    becomes(None)
    assert store.leases.claim(one, HERE) == 1
    assert store.leases.claim(two, HERE) is None
    assert store.is_held(two)
    assert not store.is_held(other)
    assert store.leases.claim(other, HERE) == 1
    store.leases.finish(one, 1, RunState.DONE, "done")
    assert store.leases.claim(two, HERE) == 1


def test_hours_of_computing(store: RunStore, becomes: Becomes) -> None:
    becomes(BOB)
    run_id, waiting = start(store), start(store)
    becomes(None)
    now = time.time()
    worked(store, run_id, 4000.0, now - 60)
    becomes(BOB)
    with pytest.raises(NotAllowed, match=r"computed 1\.1 hours in the last 24, and 1 are allowed"):
        start(store)
    becomes(None)
    assert store.leases.claim(waiting, HERE) is None
    becomes(BOB)
    store.delete_run(run_id)  # gives nothing back
    with pytest.raises(NotAllowed, match=r"computed 1\.1 hours"):
        start(store)
    with store._database.read() as connection:
        assert seconds_today(connection, "bob") == pytest.approx(4000)


def test_a_run_of_yesterday_counts_with_what_lies_in_the_last_day(store: RunStore, becomes: Becomes) -> None:
    becomes(BOB)
    run_id = start(store)
    becomes(None)
    worked(store, run_id, 4000.0, time.time() - 86_400 + 100)
    with store._database.read() as connection:
        assert seconds_today(connection, "bob") == pytest.approx(100, abs=5)
    becomes(BOB)
    start(store)


def test_stored_bytes(store: RunStore, becomes: Becomes) -> None:
    becomes(BOB)
    run_id = start(store)
    store.ledger(run_id).save_artifact("a", b"x" * 600, "a/b")
    store.add_supernet("One", b"y" * 500, {})
    with store._database.read() as connection:
        assert (stored_bytes(connection, "bob"), stored_bytes(connection, "eve")) == (1100, 0)
    files = sorted(path for path in store.home.rglob("*") if path.is_file() and ".db" not in path.name)
    for deed in (
        lambda: start(store),
        lambda: store.add_supernet("Two", b"z", {}),
        lambda: store.tables.add("T", b"t", about="{}", columns_key="k", source_sha256="0" * 64),
    ):
        with pytest.raises(NotAllowed, match=r"hold 0\.00 GB, and 1e-06 GB are allowed"):
            deed()
    assert files == sorted(
        path for path in store.home.rglob("*") if path.is_file() and ".db" not in path.name
    )
