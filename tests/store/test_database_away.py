"""A Postgres that goes away and comes back: one sentence, nothing doubled, and everything goes on by itself."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from core.errors import DatabaseAway, StorageFailed
from core.records import Measurement, RunState
from core.store import RunStore
from core.store.database import Database, patiently
from core.store.signing import NOBODY, Owner
from tests.store.databases import Postgres, emptied, free_port, reason_to_skip

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        bool(reason_to_skip() or os.environ.get("PARETOSCOPE_TEST_POSTGRES")),
        reason=reason_to_skip() or "this needs a Postgres that it may stop",
    ),
]


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    server = Postgres(free_port())
    yield server
    server.close()


@pytest.fixture
def store(postgres: Postgres, tmp_path: Path) -> Iterator[RunStore]:
    with RunStore(emptied(postgres.url), tmp_path) as opened:
        yield opened


@pytest.fixture
def run_id(store: RunStore) -> str:
    made = store.create_run("train_toy", {}, title="t", owner=NOBODY)
    assert store.leases.claim(made, Owner()) == 1
    return made


def cut(connection: Any) -> None:
    """The network is gone: the socket is shut in both directions, and nobody said goodbye."""
    with socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)


def later(seconds: float, do: Callable[[], None]) -> threading.Thread:
    def wait() -> None:
        time.sleep(seconds)
        do()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_while_it_is_away_there_is_a_sentence_and_afterwards_the_same_store_works(
    postgres: Postgres, store: RunStore, run_id: str
) -> None:
    ledger = store.ledger(run_id, attempt=1)
    ledger.log_metrics(1, {"loss": 1.0})
    postgres.stop()
    try:
        for ask in (store.list_runs, lambda: ledger.log_metrics(2, {"loss": 0.5}), store.servers.living):
            with pytest.raises(
                DatabaseAway, match=r"does not answer.*Everything saved before is intact"
            ) as said:
                ask()
            assert "psycopg" not in str(said.value)
        with pytest.raises(DatabaseAway):
            RunStore(postgres.url, store.home / "another")
    finally:
        postgres.start()
    assert ledger.metrics() == [{"loss": 1.0, "step": 1}]
    ledger.log_metrics(2, {"loss": 0.5})
    assert [run.state for run in store.list_runs()][:1] == [RunState.RUNNING]


def test_a_socket_that_is_cut_undoes_what_was_not_finished(store: RunStore, run_id: str) -> None:
    from sqlalchemy import update

    from core.store.schema import RunRow

    def change_and_lose_the_line() -> None:
        with store._database.write("changing a title") as connection:
            connection.execute(update(RunRow).values(title="changed"))
            cut(connection.connection.dbapi_connection)
            connection.execute(update(RunRow).values(title="changed again"))

    with pytest.raises(DatabaseAway):
        change_and_lose_the_line()
    assert {run.title for run in store.list_runs()} == {"t"}
    assert store.set_state(run_id, RunState.INTERRUPTED)


def test_a_worker_waits_for_it_and_writes_once(
    postgres: Postgres, store: RunStore, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Database, "patience", 30.0)
    ledger = store.ledger(run_id, attempt=1)
    postgres.stop()
    thread = later(0.8, postgres.start)
    try:
        began = time.monotonic()
        ledger.add_measurements(1, [Measurement((1,), {"accuracy": 0.5})])
        assert time.monotonic() - began > 0.7
    finally:
        thread.join()
    ledger.checkpoint(b"state", fraction=0.5)
    assert [step for step, _ in ledger.measurements()] == [1]
    assert ledger.latest_checkpoint() == b"state"
    assert store.check() == []


def test_patience_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Database, "patience", 0.6)
    tries: list[float] = []

    def away() -> None:
        tries.append(time.monotonic())
        raise DatabaseAway("gone")

    with pytest.raises(DatabaseAway):
        patiently(away)
    assert len(tries) >= 3
    assert 0.5 < tries[-1] - tries[0] < 2.0


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_lost_answer_doubles_nothing(
    store: RunStore, run_id: str, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line breaks while the database commits: with what it did, or before it did."""
    import psycopg

    monkeypatch.setattr(Database, "patience", 10.0)
    commit, broken = psycopg.Connection.commit, []

    def breaks(connection: Any) -> None:
        if not broken:
            broken.append(moment)
            if moment == "after":
                commit(connection)
            cut(connection)
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        commit(connection)

    ledger = store.ledger(run_id, attempt=1)
    ledger.add_measurements(1, [Measurement((0,), {"accuracy": 0.1})])
    rows = [Measurement((n,), {"accuracy": 0.5}) for n in range(3)]
    monkeypatch.setattr(psycopg.Connection, "commit", breaks)
    ledger.add_measurements(2, rows)
    assert broken == [moment]
    monkeypatch.undo()
    assert [step for step, _ in ledger.measurements()] == [1, 2, 2, 2]
    ledger.add_measurements(3, rows)
    assert len(ledger.measurements()) == 7
    assert store.check() == []


def test_it_is_told_how_long_to_wait_and_the_address_goes_first(postgres: Postgres, store: RunStore) -> None:
    def shown(opened: RunStore, name: str) -> str:
        with opened._database.read() as connection:
            return str(connection.execute(text(f"SHOW {name}")).scalar())

    assert shown(store, "statement_timeout") == "2min"
    assert shown(store, "lock_timeout") == "30s"
    assert shown(store, "idle_in_transaction_session_timeout") == "10s"
    with RunStore(f"{postgres.url}?options=-c%20statement_timeout%3D7s", store.home / "b") as other:
        assert shown(other, "statement_timeout") == "7s"


def test_a_process_that_is_stopped_with_the_lock_in_its_hand_stops_nobody_else(
    postgres: Postgres, store: RunStore, run_id: str
) -> None:
    url = f"{postgres.url}?options=-c%20idle_in_transaction_session_timeout%3D400"
    waited: list[float] = []

    def stands_still(stopped: RunStore) -> None:
        with stopped._database.write("changing a title") as connection:
            connection.execute(text("UPDATE runs SET title = 'changed'"))
            began = time.monotonic()
            store.leases.request_cancel(run_id)  # by another, who waits for the lock
            waited.append(time.monotonic() - began)
            connection.execute(text("UPDATE runs SET title = 'changed again'"))

    with RunStore(url, store.home / "b") as stopped:
        with pytest.raises(DatabaseAway):
            stands_still(stopped)
        assert 0.2 < waited[0] < 5.0
        assert stopped.get_run(run_id).title == "t"
        with stopped._database.write("what takes long", long=True):
            time.sleep(0.8)


def test_a_wrong_address_is_no_database_that_is_away(postgres: Postgres, tmp_path: Path) -> None:
    with pytest.raises(StorageFailed, match="PARETOSCOPE_DATABASE_URL") as said:
        RunStore(postgres.url.replace("/postgres", "/nothing"), tmp_path)
    assert not isinstance(said.value, DatabaseAway)


def test_a_lock_that_somebody_keeps_is_said(postgres: Postgres, store: RunStore, run_id: str) -> None:
    url = f"{postgres.url}?options=-c%20lock_timeout%3D300"
    with (
        RunStore(url, store.home / "b") as other,
        store._database.write("what takes long", long=True),
        pytest.raises(StorageFailed, match="Another program is using the database"),
    ):
        other.leases.request_cancel(run_id)
