"""A class's jobs: each student held to one sandbox, all in one fair queue, one heavy worker while a class works."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from core.errors import InvalidInput, NotFound, StorageFailed
from core.jobs import JobManager
from core.jobs import dispatching as module
from core.records import RunState
from core.store.signing import Owner

pytestmark = pytest.mark.slow

Until = Callable[..., object]
Opener = Callable[[], JobManager]
LONG = {"steps": 10_000, "seconds_per_step": 0.01}
SHORT = {"steps": 2}
A, B, C = ("a" * 32, "b" * 32, "c" * 32)


def states(jobs: object) -> list[RunState]:
    return [run.state for run in jobs.runs()]


@pytest.fixture
def held(open_manager: Opener, monkeypatch: pytest.MonkeyPatch) -> JobManager:
    """A manager whose dispatcher is still: the test ticks."""
    manager = open_manager()
    manager._closing.set()
    manager._wake.set()
    manager._dispatcher.join()
    manager._closing.clear()
    return manager


def test_a_students_job_runs_in_the_sandbox(manager: JobManager) -> None:
    jobs = manager.within(A)
    run_id = jobs.submit("train_toy", {"steps": 5}, title="mine", seed=3, session="any tab")
    run = jobs.wait(run_id, 20)
    assert (run.state, run.session) == (RunState.DONE, f"sandbox {A}")
    assert len(jobs.store.ledger(run_id).measurements()) == 20
    assert (manager.runs(), manager.within(B).runs()) == ([], [])
    assert jobs.store.check() == []


def test_no_id_reaches_into_another_store(manager: JobManager, until: Until) -> None:
    ours, theirs = manager.within(A), manager.within(B)
    running = theirs.submit("train_toy", LONG, title="theirs")
    waiting = theirs.submit("train_toy", LONG, title="theirs, too")
    main = manager.submit("train_toy", LONG, title="the teacher's")
    until(lambda: theirs.run(running).state is RunState.RUNNING)
    for jobs in (ours, manager):
        for run_id in (running, waiting):
            assert jobs.queue_position(run_id) is None
            for call in (jobs.cancel, jobs.resume, jobs.run):
                with pytest.raises(NotFound):
                    call(run_id)
    with pytest.raises(NotFound):
        ours.worker_pid(running)
    for call in (ours.cancel, ours.resume, ours.run, theirs.cancel):
        with pytest.raises(NotFound):
            call(main)
    assert states(theirs) == [RunState.QUEUED, RunState.RUNNING]
    assert states(manager) == [RunState.QUEUED]
    theirs.cancel(waiting)
    theirs.cancel(running)
    assert theirs.wait(running, 5).state is RunState.CANCELLED
    theirs.resume(running)
    until(lambda: theirs.store.get_run(running).state is not RunState.CANCELLED)


def test_one_runs_and_two_wait(held: JobManager) -> None:
    jobs, other = held.within(A), held.within(B)
    first = jobs.submit("train_toy", LONG, title="1")
    held._tick()
    second, third = (jobs.submit(kind, LONG, title="t") for kind in ("train_toy", "fill_toy"))
    with pytest.raises(InvalidInput, match="Two of your jobs are waiting already"):
        jobs.submit("train_toy", LONG, title="4")
    other.submit("train_toy", LONG, title="another student has room")
    held._tick()
    assert [jobs.run(i).state for i in (first, second, third)] == [
        RunState.RUNNING,
        RunState.QUEUED,
        RunState.QUEUED,
    ]
    jobs.cancel(third)
    with pytest.raises(NotFound):
        other.resume(third)
    jobs.resume(third)
    with pytest.raises(InvalidInput, match="Two of your jobs"):
        jobs.resume(third)


def test_students_take_turns_across_all_stores(held: JobManager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Supervisor", Recorded)
    Recorded.started = []
    for title in ("m1", "m2", "m3"):
        held.submit("train_toy", SHORT, title=title, session="teacher")
    for name, title in ((A, "a1"), (A, "a2"), (B, "b1")):
        held.within(name).submit("train_toy", SHORT, title=title)
    for _ in range(6):
        held._tick()
        for supervisor in held._running.values():
            supervisor.ends()
        held._running.clear()
    assert Recorded.started == ["m1", "a1", "b1", "m2", "a2", "m3"]


class Recorded:
    """A supervisor that starts nothing."""

    started: list[str] = []

    def __init__(self, store, run_id, kind, attempt, on_end, again=None) -> None:  # type: ignore[no-untyped-def]
        self.sandbox_id, self.weight_class = store.sandbox_id, module.weight_class(kind)
        self.run_id, self.attempt = run_id, attempt
        self._store, self.title = store, store.get_run(run_id).title

    def start(self) -> None:
        self.started.append(self.title)

    def stop(self, state: RunState) -> None: ...

    def ends(self) -> None:
        self._store.leases.finish(self.run_id, self.attempt, RunState.DONE, "")

    def tick(self) -> None: ...


def test_while_a_class_works_one_heavy_worker_runs(held: JobManager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Supervisor", Recorded)
    Recorded.started = []
    held.within(A).submit("train_toy", SHORT, title="trains")
    held.within(B).submit("misbehave", SHORT, title="measures")
    for _ in range(3):
        held._tick()
    assert Recorded.started == ["trains"]
    assert held.within(B).queue_position(held.within(B).runs()[0].run_id) == 1
    monkeypatch.setattr(module, "IN_CLASS_SECONDS", 0.0)  # nobody has asked for long
    held._tick()
    assert Recorded.started == ["trains", "measures"]
    held._running.clear()


def test_paused_jobs_wait_and_what_runs_finishes(
    held: JobManager, open_manager: Opener, until: Until
) -> None:
    jobs, other = held.within(A), held.within(B)
    running = jobs.submit("train_toy", {"steps": 20, "seconds_per_step": 0.01}, title="runs")
    held._tick()
    held.pause([A, C])
    waiting = jobs.submit("search_toy", SHORT, title="waits")
    theirs = other.submit("train_toy", SHORT, title="of another class")
    assert (jobs.paused, other.paused, jobs.queue_position(waiting)) == (True, False, None)
    assert jobs.wait(running, 20).state is RunState.DONE
    until(lambda: not held._running)
    for _ in range(3):
        held._tick()
    assert jobs.run(waiting).state is RunState.QUEUED
    assert other.wait(theirs, 20).state is RunState.DONE
    held.close()
    again = open_manager()
    again.take_up()
    assert again.within(A).paused  # it was a teacher's wish, not the server's
    assert again.within(C).paused
    again.go_on([A, C])
    assert again.within(A).wait(waiting, 20).state is RunState.DONE


def test_a_full_sandbox_refuses_jobs_and_stops_one_with_a_sentence(
    manager: JobManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARETOSCOPE_SANDBOX_MB", "1")
    jobs = manager.within(A)
    jobs.store.create_run("train_toy", {"filler": "x" * 400_000}, title="large", state=RunState.DONE)
    run_id = jobs.submit("fill_toy", {"pieces": 10, "size": 90_000}, title="fills it")
    run = jobs.wait(run_id, 20)
    assert (run.state, "is left of your 1 MB" in run.message) == (RunState.FAILED, True)
    kept = [artifact.name for artifact in jobs.store.ledger(run_id).artifacts()]
    assert 0 < len(kept) < 10
    assert jobs.store.check() == []
    jobs.store.create_run("train_toy", {"filler": "y" * 600_000}, title="a row takes room as well")
    with pytest.raises(StorageFailed, match="is left of your 1 MB"):
        jobs.submit("train_toy", SHORT, title="no room")


def test_a_killed_servers_class_goes_on(open_manager: Opener) -> None:
    first = open_manager()
    gone = Owner(pid=2**22 + 1, started="1")  # a process of this machine that is no more
    ids = {
        name: first.sandboxes.open(name).create_run("train_toy", SHORT, title=name, owner=gone, state=state)
        for name, state in ((A, RunState.RUNNING), (B, RunState.QUEUED))
    }
    first.close()
    again = open_manager()
    again.take_up()
    for name, run_id in ids.items():
        jobs = again.within(name)
        assert jobs.taken_up == (run_id,)
        assert jobs.wait(run_id, 20).state is RunState.DONE
        assert jobs.store.check() == []


def test_a_damaged_sandbox_is_in_nobodys_way(open_manager: Opener, until: Until) -> None:
    first = open_manager()
    broken, well = first.within(A), first.within(B)
    blocking = first.submit("train_toy", LONG, title="runs")
    until(lambda: first.run(blocking).state is RunState.RUNNING)
    broken.submit("train_toy", SHORT, title="lost")
    run_id = well.submit("train_toy", SHORT, title="well")
    broken.store.close()
    (broken.store.home / "paretoscope.db").write_bytes(b"no database at all")
    for suffix in ("-wal", "-shm"):
        (broken.store.home / f"paretoscope.db{suffix}").unlink(missing_ok=True)
    first.cancel(blocking)
    assert well.wait(run_id, 20).state is RunState.DONE
    first.close()
    again = open_manager()
    again.take_up()
    assert again.within(B).run(run_id).state is RunState.DONE


def test_a_removed_student_leaves_nothing_running(manager: JobManager, until: Until) -> None:
    jobs = manager.within(A)
    running = jobs.submit("train_toy", LONG, title="runs")
    jobs.submit("train_toy", LONG, title="waits")
    until(lambda: jobs.run(running).state is RunState.RUNNING)
    manager.put_away(A)
    assert (manager.sandboxes.ids(), manager._running, manager.sandboxed.all()) == ([], {}, [])
    [thrown] = (manager.store.home / "trash").glob(f"*/sandbox-{A}")
    assert thrown.is_dir()
    assert manager.within(A).runs() == []  # the same id would begin anew
