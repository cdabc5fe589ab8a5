"""/health and /metrics of a server: what they say of a store and jobs, and who may read them."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import DatabaseAway, InvalidInput
from core.jobs import JobManager
from core.logs import JsonLines
from core.operations import health
from core.operations.answering import Answers, answering, may_read
from core.operations.health import Doctor
from core.records import RunState
from core.store import RunStore
from tests.operations.test_exposition import parsed

Numbers = dict[str, tuple[str, dict[tuple[tuple[str, str], ...], float]]]


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARETOSCOPE_WORKFLOWS", "tests.reliability.toys")
    monkeypatch.delenv("PARETOSCOPE_METRICS", raising=False)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    with RunStore(f"sqlite:///{tmp_path / 'p.db'}", tmp_path) as opened:
        yield opened


def numbers(store: RunStore, manager: JobManager | None = None) -> Numbers:
    status, kind, content = Answers(lambda: store, lambda: manager).metrics("127.0.0.1", False)
    assert (status, kind.split(";")[0]) == (200, "text/plain")
    return parsed(content.decode())


def value(found: Numbers, name: str, **labels: str) -> float:
    return found[name][1][tuple(sorted(labels.items()))]


# --- health ----------------------------------------------------------------------------------------------------------


def test_a_server_that_works_says_so_in_one_line(store: RunStore) -> None:
    status, kind, content = Answers(lambda: store, lambda: None).health()
    assert (status, kind) == (200, "application/json")
    assert content.count(b"\n") == 1
    said = json.loads(content)
    assert said.pop("version")
    assert said == {"status": "ok", "store": "ok", "jobs": "ok"}


def test_a_database_that_is_away_is_said_without_its_password(store: RunStore) -> None:
    def away() -> RunStore:
        raise DatabaseAway("The database at postgresql://u:hidden-word@db/x cannot be reached.")

    status, _, content = Answers(away, lambda: None).health()
    assert status == 503
    assert json.loads(content)["status"] == "failing"
    assert "cannot be reached" in json.loads(content)["store"]
    assert b"hidden-word" not in content
    status, _, content = Answers(away, lambda: None).metrics("127.0.0.1", False)
    assert (status, b"hidden-word" in content) == (503, False)


def test_a_database_that_does_not_answer_is_waited_for_for_a_moment_only(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "PATIENCE", 0.1)
    monkeypatch.setattr(health, "KEPT_SECONDS", 0.0)
    free, asked = threading.Event(), []

    def slow() -> RunStore:
        asked.append(1)
        free.wait(20)
        return store

    doctor = Doctor(slow, lambda: None)
    started = time.monotonic()
    assert [doctor.look().works for _ in range(3)] == [False] * 3
    assert time.monotonic() - started < 5
    assert len(asked) == 1, "nobody waits behind one who waits"
    assert "not answered" in doctor.look().store
    free.set()
    deadline = time.monotonic() + 10
    while not doctor.look().works:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_many_who_ask_cost_no_more_than_one(store: RunStore) -> None:
    doctor = Doctor(lambda: store, lambda: None)
    for _ in range(50):
        assert doctor.look().works
    assert store.counting.spent.now()["read"][0] < 20


def test_jobs_that_nobody_looks_after_are_noticed(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    manager = JobManager(store)
    try:
        assert Doctor(lambda: store, lambda: manager).look().jobs == "ok"
        monkeypatch.setattr("core.jobs.dispatching.STUCK_SECONDS", -1.0)
        assert "start the server again" in Doctor(lambda: store, lambda: manager).look().jobs
        monkeypatch.undo()
    finally:
        manager.close()
        manager.sandboxes.close()
    assert Doctor(lambda: store, lambda: manager).look().status == 503, "its thread has ended"


# --- metrics ---------------------------------------------------------------------------------------------------------


def test_metrics_count_what_is_in_the_store(store: RunStore) -> None:
    for _ in range(3):
        store.create_run("train_toy", {}, title="t")
    store.create_run("search_toy", {}, title="t", state=RunState.RUNNING)
    store.create_run("train_toy", {}, title="t", state=RunState.DONE)
    found = numbers(store)
    assert value(found, "paretoscope_runs", kind="train_toy", state="queued") == 3
    assert value(found, "paretoscope_runs", kind="train_toy", state="done") == 1
    assert value(found, "paretoscope_queue_length", sort="training") == 3
    assert value(found, "paretoscope_queue_length", sort="light") == 0
    assert sum(found["paretoscope_running"][1].values()) == 1
    assert value(found, "paretoscope_workers_busy") == 0
    assert value(found, "paretoscope_database_seconds_total", kind="write") > 0
    before = value(found, "paretoscope_database_transactions_total", kind="write")
    store.create_run("train_toy", {}, title="t")
    after = value(numbers(store), "paretoscope_database_transactions_total", kind="write")
    assert after >= before + 1


@pytest.mark.slow
def test_metrics_follow_a_job_from_its_start_to_its_end(store: RunStore) -> None:
    manager = JobManager(store)
    try:
        run_id = manager.submit("train_toy", {"steps": 400, "seconds_per_step": 0.05}, title="t")
        deadline = time.monotonic() + 60
        while value(found := numbers(store, manager), "paretoscope_running", sort="training") == 0:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert value(found, "paretoscope_servers", does="pages") == 1
        assert value(found, "paretoscope_workers") == 3
        assert value(found, "paretoscope_workers_busy") == 1
        at_work = value(found, "paretoscope_work_seconds_total", sort="training")
        assert value(numbers(store, manager), "paretoscope_work_seconds_total", sort="training") > at_work
        manager.cancel(run_id)
        assert manager.wait(run_id, 30).state is RunState.CANCELLED
        deadline = time.monotonic() + 30
        while value(found := numbers(store, manager), "paretoscope_jobs_ended_total", state="cancelled") == 0:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert value(found, "paretoscope_jobs_ended_total", state="done") == 0
        ended = value(found, "paretoscope_work_seconds_total", sort="training")
        assert ended >= at_work
        assert value(numbers(store, manager), "paretoscope_work_seconds_total", sort="training") == ended
    finally:
        manager.close()
        manager.sandboxes.close()


@pytest.mark.parametrize(
    ("asking", "listed", "may"),
    [
        ("127.0.0.1", "", True),
        ("::1", "", True),
        ("::ffff:127.0.0.1", "", True),
        ("10.1.2.3", "", False),
        ("10.1.2.3", "10.1.0.0/16", True),
        ("::ffff:10.1.2.3", "10.1.0.0/16", True),
        ("10.2.2.3", "10.1.0.0/16, 10.2.2.4", False),
        ("2001:db8::1", "10.1.0.0/16 2001:db8::/32", True),
        ("", "0.0.0.0/0", False),
        ("testclient", "0.0.0.0/0", False),
    ],
)
def test_metrics_are_for_this_machine_and_for_those_listed(
    asking: str, listed: str, may: bool, monkeypatch: pytest.MonkeyPatch, store: RunStore
) -> None:
    monkeypatch.setenv("PARETOSCOPE_METRICS", listed)
    assert may_read(asking) is may
    status, _, _ = Answers(lambda: store, lambda: None).metrics(asking, False)
    assert status == (200 if may else 403)


def test_a_proxy_that_asks_for_somebody_else_gets_none(store: RunStore) -> None:
    assert Answers(lambda: store, lambda: None).metrics("127.0.0.1", True)[0] == 403


def test_networks_that_are_none_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARETOSCOPE_METRICS", "everybody")
    with pytest.raises(InvalidInput, match="PARETOSCOPE_METRICS must be addresses such as"):
        may_read("10.0.0.1")


@pytest.mark.slow
def test_what_a_worker_writes_is_a_line_that_names_its_run_and_no_secret(
    store: RunStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As JSON the server says it; as text it stands in the run's log alone, as before."""
    caplog.set_level("INFO", "paretoscope.worker")
    manager = JobManager(store)
    try:
        ids = []
        for said in ("text", "json"):
            monkeypatch.setenv("PARETOSCOPE_LOG", said)
            ids.append(manager.submit("misbehave", {"how": "well"}, title="t"))
            assert manager.wait(ids[-1], 60).state is RunState.DONE
    finally:
        manager.close()
        manager.sandboxes.close()
    lines = [record for record in caplog.records if record.name == "paretoscope.worker"]
    assert {line.__dict__["run"] for line in lines} == {ids[1]}
    assert "a line for the log" in [line.getMessage() for line in lines]
    assert all("a line for the log" in store.log_lines(run_id) for run_id in ids)
    said = json.loads(JsonLines("server-1").format(lines[0]))
    assert (said["server"], said["run"], said["logger"]) == ("server-1", ids[1], "paretoscope.worker")


# --- the little server of `work` ---------------------------------------------------------------------------------------


def asked(port: int, path: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_a_server_without_pages_answers_on_a_port_of_its_own(store: RunStore) -> None:
    with answering(Answers(lambda: store, lambda: None), 0) as port:
        status, said = asked(port, "/health")
        assert (status, json.loads(said)["status"]) == (200, "ok")
        status, said = asked(port, "/metrics")
        assert status == 200
        assert "paretoscope_build_info" in parsed(said)
        assert asked(port, "/metrics", {"X-Forwarded-For": "10.0.0.1"})[0] == 403
        assert asked(port, "/")[0] == 404
        with (
            pytest.raises(InvalidInput, match="another --metrics-port"),
            answering(Answers(lambda: store, lambda: None), port),
        ):
            pass
    with pytest.raises(urllib.error.URLError):
        asked(port, "/health")
