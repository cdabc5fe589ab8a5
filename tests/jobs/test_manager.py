"""Jobs from submission to every kind of end."""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import InvalidInput, NotFound
from core.jobs import JobManager
from core.jobs import manager as module
from core.records import RunState
from core.settings import settings
from core.store import RunStore

pytestmark = pytest.mark.slow

Until = Callable[..., object]
LONG = {"steps": 10_000, "seconds_per_step": 0.01}


def test_a_job_runs_to_its_end(manager: JobManager) -> None:
    run_id = manager.submit("train_toy", {"steps": 5}, title="five steps", seed=3, session="me")
    run = manager.wait(run_id, 20)
    assert (run.state, run.fraction, run.seed, run.session) == (RunState.DONE, 1.0, 3, "me")
    assert run.message.startswith("finished with")
    ledger = manager.store.ledger(run_id)
    assert len(ledger.measurements()) == 20
    assert [row["step"] for row in ledger.metrics()] == [1, 2, 3, 4, 5]
    assert manager.runs() == [run]
    assert manager.store.check() == []


def test_the_seed_of_the_run_reaches_the_workflow(manager: JobManager) -> None:
    ids = [manager.submit("train_toy", {"steps": 2}, title="t", seed=seed) for seed in (1, 2, 1)]
    first, second, third = (manager.wait(i, 20) and manager.store.ledger(i).measurements() for i in ids)
    assert first == third != second


def test_progress_and_time_left_are_shown(manager: JobManager, until: Until) -> None:
    run_id = manager.submit("train_toy", {"steps": 300, "seconds_per_step": 0.01}, title="t")
    until(lambda: (manager.run(run_id).eta_seconds or 0) > 0)
    run = manager.run(run_id)
    assert run.state is RunState.RUNNING
    assert 0 < run.fraction < 1
    assert run.message.startswith("step ")
    manager.cancel(run_id)
    assert manager.wait(run_id, 5).eta_seconds is None


@pytest.mark.parametrize(
    ("how", "state", "says"),
    [
        ("expected", RunState.FAILED, "The data set is not here; download it first."),
        ("bug", RunState.FAILED, "unexpected error (RuntimeError)"),
        ("memory", RunState.FAILED, "not enough memory"),
        ("limited", RunState.FAILED, "not enough memory"),
        ("killed", RunState.INTERRUPTED, "killed (SIGKILL, often because memory ran out)"),
        ("exit", RunState.FAILED, "stopped unexpectedly (a line for the log)"),
        ("well", RunState.DONE, "ended well"),
    ],
)
def test_every_end_is_said_plainly(manager: JobManager, how: str, state: RunState, says: str) -> None:
    run_id = manager.submit("misbehave", {"how": how}, title="t")
    run = manager.wait(run_id, 20)
    assert run.state is state
    assert says in run.message
    assert "secret" not in run.message
    assert manager.store.ledger(run_id).latest_checkpoint() == b"half"


def test_the_log_keeps_the_traceback(manager: JobManager, until: Until) -> None:
    run_id = manager.submit("misbehave", {"how": "bug"}, title="t")
    manager.wait(run_id, 20)
    until(lambda: "RuntimeError: secret detail" in manager.store.log_lines(run_id))
    assert manager.store.log_lines(run_id)[0] == "a line for the log"


@pytest.mark.parametrize("params", [{}, {"how": 3, "size": 0}])
def test_a_bad_request_names_the_field(manager: JobManager, params: dict[str, object]) -> None:
    run = manager.wait(manager.submit("misbehave", params, title="t"), 20)
    assert run.state is RunState.FAILED
    assert run.message.startswith("The request cannot be used: how: ")


def test_unknown_kinds_and_runs_are_refused(manager: JobManager) -> None:
    with pytest.raises(NotFound, match="no workflow"):
        manager.submit("launch_missiles", {}, title="t")
    for call in (manager.cancel, manager.resume, manager.run):
        with pytest.raises(NotFound, match="no run"):
            call("nothing")
    assert manager.runs() == []


def test_a_cancelled_job_resumes_to_the_same_result(manager: JobManager, until: Until) -> None:
    params = {"steps": 30, "seconds_per_step": 0.01}
    run_id = manager.submit("train_toy", params, title="t")
    until(lambda: len(manager.store.ledger(run_id).metrics()) > 5)
    manager.cancel(run_id)
    assert manager.wait(run_id, 3).state is RunState.CANCELLED
    manager.resume(run_id)
    whole = manager.submit("train_toy", params, title="t")
    for each in (run_id, whole):
        assert manager.wait(each, 30).state is RunState.DONE
    assert manager.store.ledger(run_id).measurements() == manager.store.ledger(whole).measurements()
    with pytest.raises(InvalidInput, match="this one is done"):
        manager.resume(run_id)


def test_running_and_queued_jobs_cannot_be_resumed(manager: JobManager, until: Until) -> None:
    first, second = (manager.submit("train_toy", LONG, title="t") for _ in range(2))
    until(lambda: manager.run(first).state is RunState.RUNNING)
    with pytest.raises(InvalidInput, match="running"):
        manager.resume(first)
    with pytest.raises(InvalidInput, match="queued"):
        manager.resume(second)


def test_cancelling_is_quick_at_any_moment(manager: JobManager) -> None:
    rng = random.Random(0)
    seconds = []
    for _ in range(6):
        run_id = manager.submit("train_toy", {"steps": 200, "seconds_per_step": 0.01}, title="t")
        time.sleep(rng.choice([0.0, 0.002, rng.uniform(0, 0.3), rng.uniform(0, 0.4)]))
        began = time.monotonic()
        manager.cancel(run_id)
        run = manager.wait(run_id, 10)
        seconds.append(time.monotonic() - began)
        assert run.state is RunState.CANCELLED
        final = manager.run(run_id)
        manager.cancel(run_id)
        assert manager.run(run_id) == final
    # One of them may have met a machine that does something else.
    assert sorted(seconds)[-2] < 2.0, seconds


def test_cancelling_at_the_finish_gives_one_final_state(manager: JobManager, until: Until) -> None:
    ended = set()
    for steps in range(1, 6):
        run_id = manager.submit("train_toy", {"steps": steps}, title="t")
        until(lambda run_id=run_id: manager.store.ledger(run_id).metrics())
        manager.cancel(run_id)
        state = manager.wait(run_id, 5).state
        until(lambda run_id=run_id: manager.worker_pid(run_id) is None)
        assert manager.run(run_id).state is state
        ended.add(state)
    assert ended <= {RunState.DONE, RunState.CANCELLED}


def test_a_worker_that_does_not_listen_is_killed_in_time(manager: JobManager, until: Until) -> None:
    run_id = manager.submit("misbehave", {"how": "deaf"}, title="t")
    until(lambda: manager.store.ledger(run_id).latest_checkpoint())
    began = time.monotonic()
    manager.cancel(run_id)
    assert manager.wait(run_id, 5).state is RunState.CANCELLED
    assert time.monotonic() - began < 2.0


def test_one_training_and_one_other_job_at_a_time_in_fair_order(manager: JobManager, until: Until) -> None:
    def submit(kind: str, session: str) -> str:
        return manager.submit(kind, LONG, title="t", session=session)

    trainings = [submit("train_toy", "a") for _ in range(3)]
    until(lambda: manager.run(trainings[0]).state is RunState.RUNNING)
    trainings += [submit("train_toy", "b")]
    searches = [submit("search_toy", session) for session in "cd"]
    until(lambda: manager.run(searches[0]).state is RunState.RUNNING)
    states = [manager.run(i).state for i in (*trainings, *searches)]
    assert states == [RunState.RUNNING, *[RunState.QUEUED] * 3, RunState.RUNNING, RunState.QUEUED]
    # Session a has had a turn, so b is next.
    assert [manager.queue_position(i) for i in trainings] == [None, 2, 3, 1]
    assert [manager.queue_position(i) for i in searches] == [None, 1]
    manager.cancel(trainings[0])
    until(lambda: manager.run(trainings[3]).state is RunState.RUNNING)
    assert [manager.queue_position(i) for i in trainings] == [None, 1, 2, None]


def test_a_session_cannot_flood_the_queue(
    manager: JobManager, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_QUEUED", 3)
    running = manager.submit("train_toy", LONG, title="t", session="a")
    until(lambda: manager.run(running).state is RunState.RUNNING)
    for _ in range(3):
        manager.submit("train_toy", LONG, title="t", session="a")
    with pytest.raises(InvalidInput, match="jobs waiting"):
        manager.submit("train_toy", LONG, title="t", session="a")
    manager.submit("train_toy", LONG, title="t", session="b")


def test_many_sessions_cannot_flood_the_queue_either(
    manager: JobManager, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new tab is a new session: their own limits add up to nothing."""
    monkeypatch.setattr(module, "MAX_WAITING", 4)
    stopped = manager.submit("train_toy", LONG, title="t", session="first")
    until(lambda: manager.run(stopped).state is RunState.RUNNING)
    manager.cancel(stopped)
    running = manager.submit("train_toy", LONG, title="t", session="first")
    until(lambda: manager.run(running).state is RunState.RUNNING)
    accepted, refused = [], []
    lock = threading.Lock()

    def submit(session: str) -> None:
        try:
            run_id = manager.submit("train_toy", LONG, title="t", session=session)
            with lock:
                accepted.append(run_id)
        except InvalidInput as error:
            with lock:
                refused.append(str(error))

    threads = [threading.Thread(target=submit, args=(f"tab {n}",)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(accepted), len(refused)) == (4, 8)
    assert all("4 jobs are waiting on this server" in sentence for sentence in refused)
    with pytest.raises(InvalidInput, match="jobs are waiting"):
        manager.resume(stopped)
    manager.cancel(accepted[0])
    manager.resume(stopped)


@pytest.mark.skipif(sys.platform != "linux", reason="macOS and Windows hold no process to its limit")
def test_a_worker_that_wants_more_memory_than_it_may_have_says_so(
    manager: JobManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARETOSCOPE_WORKER_MEMORY", "2G")
    run_id = manager.submit("misbehave", {"how": "greedy"}, title="t")
    run = manager.wait(run_id, 60)
    assert run.state is RunState.FAILED
    assert "not enough memory: a job may use 2.0 GB (PARETOSCOPE_WORKER_MEMORY)" in run.message
    assert manager.store.ledger(run_id).latest_checkpoint() == b"half"


@pytest.mark.parametrize(
    ("said", "allowed"), [("6G", 6 * 2**30), ("1.5 gb", 3 * 2**29), ("800M", 800 * 2**20), ("1T", 2**40)]
)
def test_the_memory_of_a_worker_is_a_setting(
    said: str, allowed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARETOSCOPE_WORKER_MEMORY", said)
    assert settings().worker_memory == allowed


def test_by_default_a_worker_may_have_three_quarters_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PARETOSCOPE_WORKER_MEMORY", raising=False)
    shares = [settings().worker_memory]
    for share in ("50%", "100%"):
        monkeypatch.setenv("PARETOSCOPE_WORKER_MEMORY", share)
        shares.append(settings().worker_memory)
    assert [round(4 * memory / shares[2]) for memory in shares] == [3, 2, 4]


@pytest.mark.parametrize("said", ["", "0G", "6", "lots", "-1G", "101%", "nan%", "6G; rm"])
def test_a_wrong_memory_setting_is_refused(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARETOSCOPE_WORKER_MEMORY", said)
    with pytest.raises(InvalidInput, match="PARETOSCOPE_WORKER_MEMORY must be a size"):
        settings()


def test_closing_hands_everything_back_quickly(manager: JobManager, until: Until) -> None:
    ids = [manager.submit("train_toy", LONG, title="t") for _ in range(3)]
    deaf = manager.submit("misbehave", {"how": "deaf"}, title="t")
    until(lambda: manager.store.ledger(deaf).latest_checkpoint() and manager.store.ledger(ids[0]).metrics())
    began = time.monotonic()
    manager.close()
    assert time.monotonic() - began < 4.0
    assert {manager.run(i).state for i in (*ids, deaf)} == {RunState.QUEUED}
    assert "The server was stopped" in manager.run(deaf).message
    assert [each.begun for each in manager.store.leases.queued("any server")] == [True, False, False, True]
    with pytest.raises(InvalidInput, match="stopped"):
        manager.submit("train_toy", {}, title="t")


def test_an_end_that_cannot_be_stored_is_stored_later(
    manager: JobManager, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.errors import StorageFailed

    finish, refused = manager.store.leases.finish, iter(range(100))

    def full_twice(*arguments: object) -> bool:
        if next(refused) < 2:
            raise StorageFailed("The disk is full.")
        return finish(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(manager.store.leases, "finish", full_twice)
    run_id = manager.submit("misbehave", {"how": "killed"}, title="t")
    assert manager.wait(run_id, 20).state is RunState.INTERRUPTED


def test_a_store_in_memory_is_refused(tmp_path: Path) -> None:
    with RunStore("sqlite://", tmp_path) as store, pytest.raises(InvalidInput, match="disk"):
        JobManager(store)
