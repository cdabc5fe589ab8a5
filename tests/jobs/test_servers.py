"""Several servers on one database, and servers that die: no job runs twice, none is lost or left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from core.cli.driving import resume_run
from core.errors import InvalidInput
from core.jobs import JobManager
from core.jobs import dispatching as module
from core.jobs.lease import signed_lease
from core.records import COMMAND_LINE, Measurement, RunState
from core.store import RunStore
from core.store.signing import Owner, process_started

pytestmark = pytest.mark.slow

Until = Callable[..., object]
Opener = Callable[..., JobManager]
LONG = {"steps": 10_000, "seconds_per_step": 0.01}
ROOT = Path(__file__).resolve().parents[2]
ORPHAN_SECONDS = 1.5
"""How long a worker may outlive its server."""

SERVER = """
import sys, time, pathlib
from core.jobs import JobManager
from core.store import RunStore
home = pathlib.Path(sys.argv[1])
manager = JobManager(RunStore(f"sqlite:///{home / 'p.db'}", home))
ids = [manager.submit("train_toy", {"steps": 10_000, "seconds_per_step": 0.01}, title="t") for _ in range(2)]
while not (manager.worker_pid(ids[0]) and manager.store.ledger(ids[0]).metrics()):
    time.sleep(0.01)
print(manager.worker_pid(ids[0]), *ids, flush=True)
time.sleep(60)
"""


def start_server(home: Path) -> tuple[subprocess.Popen[str], int, list[str]]:
    """A server process with a running and a queued job: process, worker's id, runs."""
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(home)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    pid, *ids = server.stdout.readline().split()
    server.stdout.close()
    return server, int(pid), ids


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_server_leaves_an_interrupted_run_its_queue_and_no_worker(
    tmp_path: Path, open_manager: Opener, until: Until, how: signal.Signals
) -> None:
    server, worker, ids = start_server(tmp_path)
    server.send_signal(how)
    until(lambda: not process_started(worker), ORPHAN_SECONDS)
    server.wait(10)
    with RunStore(f"sqlite:///{tmp_path / 'p.db'}", tmp_path) as store:
        acknowledged = store.ledger(ids[0]).measurements()
        assert store.get_run(ids[0]).state is RunState.INTERRUPTED  # the worker itself said so
        assert store.get_run(ids[1]).state is RunState.QUEUED
    manager = open_manager()
    until(lambda: manager.store.ledger(ids[1]).metrics())  # the queue was never the server's
    assert manager.run(ids[0]).state is RunState.INTERRUPTED
    assert manager.store.check() == []
    manager.cancel(ids[1])
    manager.resume(ids[0])
    until(lambda: manager.store.count_measurements(ids[0]) > len(acknowledged))
    assert manager.store.ledger(ids[0]).measurements()[: len(acknowledged)] == acknowledged


STARTING = """
import sys, time, pathlib
from core.jobs import JobManager
from core.store import RunStore
home = pathlib.Path(sys.argv[1])
manager = JobManager(RunStore(f"sqlite:///{home / 'p.db'}", home))
run_id = manager.submit("misbehave", {"how": sys.argv[2]}, title="t")
while not manager.worker_pid(run_id):
    time.sleep(0.001)
print(manager.worker_pid(run_id), run_id, flush=True)
time.sleep(60)
"""


def start_with(home: Path, how: str) -> tuple[subprocess.Popen[str], int, str]:
    """A server that has just started a worker: process, worker's id, run."""
    command = [sys.executable, "-c", STARTING, str(home), how]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    pid, run_id = server.stdout.readline().split()
    server.stdout.close()
    return server, int(pid), run_id


def seconds_alone(server: subprocess.Popen[str], worker: int, until: Until) -> float:
    """Kill the server; how long its worker outlives it."""
    server.kill()
    began = time.monotonic()
    try:
        until(lambda: not process_started(worker), 10.0)
    finally:
        server.wait(10)
    return time.monotonic() - began


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's part is Linux's")
@pytest.mark.parametrize("how", ["frozen", "deaf"])
def test_an_orphan_ends_in_time_whatever_it_does(tmp_path: Path, until: Until, how: str) -> None:
    server, worker, run_id = start_with(tmp_path, how)
    with RunStore(f"sqlite:///{tmp_path / 'p.db'}", tmp_path) as store:
        until(lambda: store.ledger(run_id).latest_checkpoint())
    assert seconds_alone(server, worker, until) < ORPHAN_SECONDS


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's part is Linux's")
@pytest.mark.parametrize("delay", [0.0, 0.1, 0.4])
def test_an_orphan_ends_in_time_while_it_still_loads(tmp_path: Path, until: Until, delay: float) -> None:
    server, worker, _ = start_with(tmp_path, "deaf")
    time.sleep(delay)
    assert seconds_alone(server, worker, until) < ORPHAN_SECONDS


def test_server_and_worker_killed_together(tmp_path: Path, open_manager: Opener, until: Until) -> None:
    server, worker, ids = start_server(tmp_path)
    os.kill(worker, signal.SIGSTOP)  # so that it cannot say anything
    server.kill()
    server.wait(10)
    os.kill(worker, signal.SIGKILL)
    manager = open_manager()
    assert manager.run(ids[0]).state is RunState.INTERRUPTED
    until(lambda: manager.run(ids[1]).state is RunState.RUNNING)


def test_a_second_server_takes_what_waits_and_leaves_live_jobs_alone(
    open_manager: Opener, until: Until
) -> None:
    first = open_manager()
    running, queued, last = (first.submit("train_toy", LONG, title="t") for _ in range(3))
    until(lambda: first.store.ledger(running).metrics())
    assert [first.run(i).state for i in (queued, last)] == [RunState.QUEUED] * 2
    second = open_manager()
    until(lambda: second.store.ledger(queued).metrics())
    assert [second.run(i).state for i in (running, last)] == [RunState.RUNNING, RunState.QUEUED]
    assert (second.worker_pid(running), first.worker_pid(queued)) == (None, None)
    assert (first.queue_position(last), second.queue_position(last)) == (1, 1), "one queue"
    ours, theirs = first.store.servers.living()
    assert (ours.owner_id, ours.runs) == (first.owner.owner_id, (running,))
    assert (theirs.owner_id, theirs.runs) == (second.owner.owner_id, (queued,))
    second.close()
    assert [each.owner_id for each in first.store.servers.living()] == [first.owner.owner_id]


def test_a_job_of_another_server_can_be_cancelled(open_manager: Opener, until: Until) -> None:
    first, second = open_manager(), open_manager()
    running, queued = (first.submit("train_toy", LONG, title="t") for _ in range(2))
    until(lambda: first.store.ledger(running).metrics())
    for run_id in (queued, running):
        began = time.monotonic()
        second.cancel(run_id)
        assert second.wait(run_id, 5).state is RunState.CANCELLED
        assert time.monotonic() - began < 2.0


def test_every_job_runs_exactly_once(open_manager: Opener) -> None:
    managers = [open_manager(), open_manager()]
    ids = [managers[i % 2].submit("search_toy", {"steps": 3}, title="t", seed=i) for i in range(4)]
    assert {managers[0].wait(i, 60).state for i in ids} == {RunState.DONE}
    assert [managers[0].store.count_measurements(i) for i in ids] == [3] * 4


def test_an_owner_elsewhere_is_judged_by_its_counter_alone(
    open_manager: Opener, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LEASE_SECONDS", 0.6)
    monkeypatch.setattr(module, "_IDLE_SECONDS", 0.05)
    monkeypatch.setattr(module, "_BEAT_SECONDS", 0.1)
    # A clock that jumps by a day each time must not matter.
    jumps = iter(range(10**9))
    monkeypatch.setattr(time, "time", lambda: 1e9 + 86_400.0 * next(jumps) * (-1) ** next(jumps))
    manager = open_manager()
    live, dead = (replace(Owner(), owner_id=name * 32, host="another machine", pid=1) for name in "ad")
    runs = {
        owner.owner_id: manager.store.create_run(
            "train_toy", {}, title="t", state=RunState.RUNNING, owner=owner
        )
        for owner in (live, dead)
    }

    def beat_and_look() -> bool:
        manager.store.leases.beat(live)
        return manager.run(runs[dead.owner_id]).state is RunState.INTERRUPTED

    began = time.monotonic()
    until(beat_and_look)
    assert time.monotonic() - began > 0.5
    until(lambda: beat_and_look() and time.monotonic() - began > 1.5)
    assert manager.run(runs[live.owner_id]).state is RunState.RUNNING


def test_a_process_number_used_again_is_not_taken_for_the_owner(open_manager: Opener) -> None:
    manager = open_manager()
    reused = replace(Owner(), owner_id="e" * 32, started="1")
    run_id = manager.store.create_run("train_toy", {}, title="t", state=RunState.RUNNING, owner=reused)
    assert open_manager().run(run_id).state is RunState.INTERRUPTED


def test_a_run_executed_by_a_command_is_left_alone(open_manager: Opener) -> None:
    """A command records its run itself, without a manager; its process vouches for it."""
    first = open_manager()
    run_id = first.store.create_run("train_toy", {}, title="t", state=RunState.RUNNING)
    assert open_manager().run(run_id).state is RunState.RUNNING
    first.store.ledger(run_id).add_measurements(0, [Measurement((0,), {"accuracy": 0.5})])


COMMAND = """
import sys, time, pathlib
from core.records import RunState
from core.store import RunStore
from core.store.signing import Owner
home = pathlib.Path(sys.argv[1])
store, owner = RunStore(f"sqlite:///{home / 'p.db'}", home), Owner()
run_id = store.create_run("train_toy", {"steps": 3}, title="t", owner=owner)
if sys.argv[2] == "running":
    assert store.leases.claim(run_id, owner)
print(run_id, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks processes up in /proc")
@pytest.mark.parametrize("state", ["running", "queued"])
def test_a_killed_commands_run_is_resumed_at_once_without_a_server(tmp_path: Path, state: str) -> None:
    command = [sys.executable, "-c", COMMAND, str(tmp_path), state]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    run_id = process.stdout.readline().strip()
    with process, RunStore(f"sqlite:///{tmp_path / 'p.db'}", tmp_path) as store:
        with pytest.raises(InvalidInput, match=f"this one is {state}"):
            resume_run(store, run_id)  # while it lives
        process.kill()
        process.wait(10)
        assert store.get_run(run_id).state == state  # nobody has marked it
        resume_run(store, run_id)
        assert store.get_run(run_id).state is RunState.DONE
        assert store.count_measurements(run_id) == 12


def test_a_run_of_another_machine_is_not_taken_by_a_command(open_manager: Opener) -> None:
    store = open_manager().store
    elsewhere = replace(Owner(), owner_id="f" * 32, host="another machine", pid=1)
    run_id = store.create_run("train_toy", {}, title="t", state=RunState.RUNNING, owner=elsewhere)
    with pytest.raises(InvalidInput, match="this one is running"):
        store.leases.enqueue(run_id, Owner())


def test_a_lease_signed_meanwhile_is_not_taken(open_manager: Opener) -> None:
    store = open_manager().store
    owner = replace(Owner(), owner_id="f" * 32, host="another machine")
    run_id = store.create_run("train_toy", {}, title="t", state=RunState.RUNNING, owner=owner)
    (lease,) = [lease for lease in store.leases.of_others(Owner()) if lease.run_id == run_id]
    store.leases.beat(owner)
    assert store.leases.interrupt(lease, "gone") is False
    assert store.leases.interrupt(replace(lease, heartbeat=lease.heartbeat + 1), "gone") is True
    assert store.leases.interrupt(replace(lease, heartbeat=lease.heartbeat + 1), "gone") is False


def test_a_worker_started_without_its_server_does_not_run(open_manager: Opener) -> None:
    """A worker of an earlier start finds itself replaced and changes nothing."""
    manager = open_manager()
    run_id = manager.submit("search_toy", {"steps": 2}, title="t")
    before = manager.wait(run_id, 20)
    environment = {**os.environ, "PARETOSCOPE_ATTEMPT": "1", "PARETOSCOPE_HOME": str(manager.store.home)}
    environment["PARETOSCOPE_DATABASE_URL"] = manager.store.url
    command = [sys.executable, "-m", "core.jobs.worker", run_id]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.PIPE) as worker:
        assert worker.wait(30) == 0
    assert manager.run(run_id) == before
    assert manager.store.count_measurements(run_id) == 2


def test_a_command_signs_its_lease_and_hears_of_a_cancellation(open_manager: Opener, until: Until) -> None:
    manager, owner = open_manager(), Owner()
    store = manager.store
    run_id = store.create_run("train_toy", {}, title="t", owner=owner)
    attempt = store.leases.claim(run_id, owner)
    assert attempt == 1
    with signed_lease(store, owner) as cancelled:
        (before,) = store.leases.of_others(manager.owner)
        until(lambda: store.leases.of_others(manager.owner)[0].heartbeat > before.heartbeat)
        assert not cancelled.is_set()
        manager.cancel(run_id)
        assert cancelled.wait(5)
    assert store.leases.finish(run_id, attempt, RunState.CANCELLED, "") is True
    assert store.leases.finish(run_id, attempt, RunState.DONE, "") is False


@pytest.mark.parametrize(
    ("kind", "params", "status"), [("train_toy", LONG, 0), ("misbehave", {"how": "deaf"}, 75)]
)
def test_a_worker_whose_pipe_closes_stops_by_itself(
    tmp_path: Path, until: Until, kind: str, params: dict[str, object], status: int
) -> None:
    with RunStore(f"sqlite:///{tmp_path / 'p.db'}", tmp_path) as store:
        owner = Owner()
        run_id = store.create_run(kind, params, title="t", owner=owner)
        environment = {**os.environ, "PARETOSCOPE_ATTEMPT": str(store.leases.claim(run_id, owner))}
        environment |= {"PARETOSCOPE_HOME": str(store.home), "PARETOSCOPE_DATABASE_URL": store.url}
        command = [sys.executable, "-m", "core.jobs.worker", run_id]
        worker = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.PIPE)
        until(lambda: store.ledger(run_id).latest_checkpoint())
        assert worker.stdin is not None
        worker.stdin.close()
        assert worker.wait(4.0) == status
        run = store.get_run(run_id)
        assert (run.state, "server has gone" in run.message) == (RunState.INTERRUPTED, True)


def test_a_server_that_starts_goes_on_with_what_the_last_one_left(
    tmp_path: Path, open_manager: Opener, until: Until
) -> None:
    server, worker, ids = start_server(tmp_path)
    server.kill()
    server.wait(10)
    until(lambda: not process_started(worker))
    with RunStore(f"sqlite:///{tmp_path / 'p.db'}", tmp_path) as store:
        saved = store.ledger(ids[0]).measurements()
    manager = open_manager(takes_up=True)
    assert manager.taken_up == (ids[0],), "the one that ran; the one that waited never stopped waiting"
    until(lambda: manager.store.count_measurements(ids[0]) > len(saved))
    assert manager.store.ledger(ids[0]).measurements()[: len(saved)] == saved
    assert manager.run(ids[1]).state is RunState.QUEUED
    assert any("Taken up again" in line for line in manager.store.log_lines(ids[0]))


def test_what_a_person_stopped_stays_stopped(open_manager: Opener) -> None:
    manager = open_manager()
    run_id = manager.submit("train_toy", LONG, title="t")
    manager.cancel(run_id)
    assert manager.wait(run_id, 10).state is RunState.CANCELLED
    terminal = manager.store.create_run(
        "train_toy", LONG, title="t", session=COMMAND_LINE, state=RunState.RUNNING
    )
    manager.store.set_state(terminal, RunState.INTERRUPTED)
    failed = manager.store.create_run("train_toy", LONG, title="t", state=RunState.RUNNING)
    manager.store.set_state(failed, RunState.FAILED)
    again = open_manager()
    again.take_up()
    assert (again.taken_up, again.left_alone) == ((), ())
    states = {RunState.CANCELLED, RunState.INTERRUPTED, RunState.FAILED}
    assert {again.run(i).state for i in (run_id, terminal, failed)} == states


def test_a_run_that_ends_servers_is_taken_up_twice_at_one_place(tmp_path: Path, open_manager: Opener) -> None:
    """As if the run used up the machine's memory: every server ends soon after it took it up."""
    store = RunStore(f"sqlite:///{tmp_path / 'p.db'}", tmp_path)
    run_id = store.create_run("train_toy", LONG, title="t", state=RunState.RUNNING)
    store.set_state(run_id, RunState.INTERRUPTED)

    def takes_it_up() -> bool:
        manager = open_manager()
        manager._closing.set()  # before it starts what it queues
        manager._dispatcher.join()
        manager.take_up()
        assert (run_id in manager.left_alone) is (run_id not in manager.taken_up)
        store.set_state(run_id, RunState.INTERRUPTED)
        return run_id in manager.taken_up

    assert [takes_it_up() for _ in range(4)] == [True, True, False, False]
    # A person resumes it, and it gets further before the next end.
    store.leases.enqueue(run_id, owner := Owner())
    store.leases.claim(run_id, owner)
    store.update_progress(run_id, 0.5, "")
    store.set_state(run_id, RunState.INTERRUPTED)
    assert [takes_it_up() for _ in range(3)] == [True, True, False]
    store.close()
