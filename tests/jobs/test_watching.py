"""Who is dead, by what was seen; and what a living server does with what the dead left."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from core.cli.driving import resume_run
from core.errors import DatabaseAway, InvalidInput
from core.jobs import JobManager
from core.jobs import dispatching as module
from core.jobs.taking_up import AGAIN
from core.jobs.watching import Standing, Watch
from core.records import RunState
from core.store import RunStore
from core.store.servers import JOBS
from core.store.signing import NOBODY, Owner

pytestmark = pytest.mark.slow

Until = Callable[..., object]
Opener = Callable[..., JobManager]
LONG = {"steps": 10_000, "seconds_per_step": 0.01}
ELSEWHERE = replace(Owner(), owner_id="e" * 32, host="another machine", pid=1)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_seconds_count_only_while_we_look() -> None:
    clock = Clock()
    standing = Standing(clock)
    assert standing.look({"a": 1, "b": 1}, 2.0) == {"a": 0.0, "b": 0.0}
    clock.now += 1.0
    assert standing.look({"a": 1, "b": 2}, 2.0) == {"a": 1.0, "b": 0.0}
    clock.now += (
        3600.0  # we were stopped, or the database was away: nobody could sign that we could have seen
    )
    assert standing.look({"a": 1, "b": 2}, 2.0) == {"a": 3.0, "b": 2.0}
    clock.now += 1.0
    assert standing.look({"a": 2}, 2.0) == {"a": 0.0}
    clock.now += 1.0
    assert standing.look({"a": 2, "b": 2}, 2.0) == {"a": 1.0, "b": 0.0}, "it was gone in between"


def test_an_hour_away_accuses_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two servers lose the database for an hour; the first that has it back finds the other's counter where it was."""
    clock = Clock()
    monkeypatch.setattr("core.jobs.watching.Standing.__init__.__defaults__", (clock,))
    with RunStore(f"sqlite:///{tmp_path / 'p.db'}", tmp_path) as store:
        run_id = store.create_run("train_toy", {}, title="t", state=RunState.RUNNING, owner=ELSEWHERE)
        store.servers.sign(ELSEWHERE, does=JOBS, workers=1)
        watch = Watch(store, Owner())

        def look() -> tuple[RunState, int]:
            watch.look(20.0, 1.0)
            return store.get_run(run_id).state, len(store.servers.living())

        assert look() == (RunState.RUNNING, 1)
        clock.now += 3600.0
        assert look() == (RunState.RUNNING, 1)
        for _ in range(18):
            clock.now += 1.0
            assert look() == (RunState.RUNNING, 1)
        store.leases.beat(ELSEWHERE)
        for _ in range(8):
            clock.now += 1.0
            found = look()
        assert found == (RunState.RUNNING, 0), "its row stands for too long, its run was signed"
        for _ in range(14):
            clock.now += 1.0
            found = look()
        assert found == (RunState.INTERRUPTED, 0)


def test_what_a_dead_server_ran_goes_on_without_a_person(
    open_manager: Opener, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It dies while another lives, which goes on with its run and with what waits."""
    monkeypatch.setattr(module, "LEASE_SECONDS", 0.4)
    monkeypatch.setattr(module, "_IDLE_SECONDS", 0.05)
    monkeypatch.setattr(module, "_BEAT_SECONDS", 0.1)
    manager = open_manager(takes_up=True)
    store = manager.store
    running = store.create_run("train_toy", {"steps": 3}, title="ran", owner=ELSEWHERE)
    assert store.leases.claim(running, ELSEWHERE) == 1
    store.update_progress(running, 0.25, "", attempt=1)
    queued = store.create_run("train_toy", {"steps": 3}, title="waited", owner=NOBODY)
    for run_id in (running, queued):
        assert manager.wait(run_id, 30).state is RunState.DONE
    assert store.log_lines(running) == ["Its server or worker ended. Taken up again at 25.00%."]
    assert store.log_lines(queued) == []
    assert manager.taken_up == (running,)
    assert store.servers.living()[0].does == "pages"


def test_a_killed_worker_is_replaced_twice_and_then_waits_for_a_person(
    open_manager: Opener, until: Until
) -> None:
    manager = open_manager(takes_up=True)
    run_id = manager.submit("misbehave", {"how": "killed"}, title="t")
    until(lambda: manager.left_alone == (run_id,), 60)
    run = manager.run(run_id)
    assert (run.state, "killed (SIGKILL" in run.message) == (RunState.INTERRUPTED, True)
    said = [line for line in manager.store.log_lines(run_id) if "Taken up again" in line]
    assert said == ["Its server or worker ended. Taken up again at 50.00%."] * 2
    manager.resume(run_id)  # a person knows better, once
    until(lambda: manager.worker_pid(run_id))
    until(lambda: manager.run(run_id).state is RunState.INTERRUPTED, 30)
    time.sleep(0.5)
    assert manager.run(run_id).state is RunState.INTERRUPTED


def test_a_start_whose_answer_was_lost_is_given_back(
    open_manager: Opener, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The claim was stored, and the connection broke before we heard of it."""
    manager = open_manager()
    claim, lost = manager.store.leases.claim, []

    def loses_the_first(run_id: str, owner: Owner) -> int | None:
        attempt = claim(run_id, owner)
        if not lost:
            lost.append(attempt)
            raise DatabaseAway("The database does not answer.")
        return attempt

    monkeypatch.setattr(manager.store.leases, "claim", loses_the_first)
    run_id = manager.submit("train_toy", {"steps": 3}, title="t")
    assert manager.wait(run_id, 30).state is RunState.DONE
    assert lost == [1]
    assert len(manager.store.ledger(run_id).measurements()) == 12


def test_a_server_that_lost_its_run_ends_the_worker(open_manager: Opener, until: Until) -> None:
    """It stood still for longer than a lease; meanwhile another has the run."""
    manager = open_manager()
    run_id = manager.submit("misbehave", {"how": "deaf"}, title="t")
    until(lambda: manager.store.ledger(run_id).latest_checkpoint())
    [lease] = manager.store.leases.of_others(ELSEWHERE)
    assert manager.store.leases.interrupt(lease, "gone")
    assert manager.store.leases.take_up(run_id, ELSEWHERE, AGAIN)
    assert manager.store.leases.claim(run_id, ELSEWHERE) == 2
    until(lambda: manager.worker_pid(run_id) is None, 10)
    assert manager.run(run_id).state is RunState.RUNNING, "the other's start is none of ours"


def test_sessions_take_turns_across_servers(
    open_manager: Opener, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Session a had its turn on the first server, so the second begins with b, though a asked before."""
    monkeypatch.setattr(module, "_IDLE_SECONDS", 0.05)
    first = open_manager()
    ids = [first.submit("train_toy", LONG, title="t", session=session) for session in "aab"]
    until(lambda: first.run(ids[0]).state is RunState.RUNNING)
    second = open_manager()
    until(lambda: second.worker_pid(ids[2]))
    assert second.run(ids[1]).state is RunState.QUEUED


def test_a_server_runs_as_many_of_each_sort_as_it_is_told(open_manager: Opener, until: Until) -> None:
    manager = open_manager(workers=2)
    trainings = [manager.submit("train_toy", LONG, title="t") for _ in range(3)]
    search = manager.submit("search_toy", LONG, title="t")
    until(lambda: all(manager.worker_pid(i) for i in (*trainings[:2], search)))
    [server] = manager.store.servers.living()
    until(lambda: len(manager.store.servers.living()[0].runs) == 3)
    assert (server.workers, manager.queue_position(trainings[2])) == (2, 1)


def test_what_a_stopped_server_handed_back_can_be_done_by_a_command(
    tmp_path: Path, open_manager: Opener, until: Until
) -> None:
    manager = open_manager()
    run_id = manager.submit("train_toy", {"steps": 200, "seconds_per_step": 0.01}, title="t")
    until(lambda: manager.store.ledger(run_id).metrics())
    with pytest.raises(InvalidInput, match="this one is running"):
        resume_run(manager.store, run_id)
    waiting = manager.submit("train_toy", {"steps": 2}, title="t")
    with pytest.raises(InvalidInput, match="this one is queued"):
        resume_run(manager.store, waiting)  # a server lives, which will take it
    manager.close()
    assert (manager.run(run_id).state, manager.store.servers.living()) == (RunState.QUEUED, [])
    for stopped in (waiting, run_id):
        resume_run(manager.store, stopped)
        assert manager.run(stopped).state is RunState.DONE
