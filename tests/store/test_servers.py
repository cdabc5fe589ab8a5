"""Who lives: a row per server, on every database; and one queue, from which each run is claimed once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core import __version__
from core.errors import InvalidInput, NotFound
from core.records import COMMAND_LINE, Measurement, RunState
from core.store import RunStore
from core.store.leases import Again
from core.store.servers import JOBS, KEPT_SECONDS, PAGES
from core.store.signing import NOBODY, Owner
from tests.store.databases import DATABASES, open_store

AGAIN = Again("again at {:.0%}".format, 2)
ELSEWHERE = replace(Owner(), owner_id="e" * 32, host="another machine", pid=7)


@pytest.fixture(params=DATABASES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunStore]:
    with open_store(request.param, tmp_path) as opened:
        yield opened


def waiting(store: RunStore, session: str = "local") -> str:
    return store.create_run("train_toy", {}, title="t", session=session, owner=NOBODY)


def test_a_living_server_says_what_it_is_and_has(store: RunStore) -> None:
    me = Owner()
    assert store.servers.living() == []
    before = time.time()
    store.servers.sign(me, does=PAGES, workers=2)
    store.servers.sign(ELSEWHERE, does=JOBS, workers=3)
    store.servers.sign(me, does=PAGES, workers=2, in_sandboxes=1)
    first, second = waiting(store), waiting(store)
    for run_id, owner in ((second, me), (first, me), (waiting(store), ELSEWHERE)):
        assert store.leases.claim(run_id, owner) == 1
    ours, theirs = store.servers.living()
    assert (ours.owner_id, ours.does, ours.workers, ours.in_sandboxes) == (me.owner_id, "pages", 2, 1)
    assert (ours.pid, ours.host, ours.version) == (me.pid, me.host, __version__)
    assert before <= ours.since <= time.time()
    assert ours.runs == (second, first), "in the order in which it took them"
    assert (theirs.owner_id, theirs.does, theirs.workers, len(theirs.runs)) == ("e" * 32, "jobs", 3, 1)
    assert [signed.beat for signed in store.servers.others(ELSEWHERE)] == [1]


def test_a_process_of_this_machine_that_is_gone_is_no_server(store: RunStore) -> None:
    gone = replace(Owner(), owner_id="d" * 32, started="1")
    store.servers.sign(gone, does=PAGES, workers=1)
    assert store.servers.living() == []
    assert len(store.servers.others(Owner())) == 1, "nobody has marked it yet"


def test_who_ended_is_marked_and_comes_back_with_its_next_sign(store: RunStore) -> None:
    store.servers.sign(ELSEWHERE, does=JOBS, workers=1)
    store.servers.sign(ELSEWHERE, does=JOBS, workers=1)
    assert not store.servers.end(ELSEWHERE, beat=0), "it has signed since"
    assert len(store.servers.living()) == 1
    assert store.servers.end(ELSEWHERE, beat=1)
    assert not store.servers.end(ELSEWHERE)
    assert (store.servers.living(), store.servers.others(Owner())) == ([], [])
    store.servers.sign(ELSEWHERE, does=JOBS, workers=1)
    assert [server.owner_id for server in store.servers.living()] == [ELSEWHERE.owner_id]


def test_rows_of_dead_servers_go_after_a_day(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    old, young = (replace(ELSEWHERE, owner_id=name * 32) for name in "ab")
    now = time.time()
    for owner, ended in ((old, now - KEPT_SECONDS - 1), (young, now - KEPT_SECONDS + 60)):
        store.servers.sign(owner, does=JOBS, workers=1)
        monkeypatch.setattr(time, "time", lambda ended=ended: ended)
        assert store.servers.end(owner)
        monkeypatch.undo()
    store.servers.sign(ELSEWHERE, does=JOBS, workers=1)
    assert store.servers.end(ELSEWHERE)
    from sqlalchemy import text

    with store._database.read() as connection:
        kept = {row[0] for row in connection.execute(text("SELECT owner FROM servers"))}
    assert kept == {young.owner_id, ELSEWHERE.owner_id}


def test_a_run_is_claimed_once_however_many_want_it(store: RunStore) -> None:
    """Each of four servers wants each of twelve runs, all at the same time."""
    owners = [replace(ELSEWHERE, owner_id=str(n) * 32) for n in range(4)]
    ids = [waiting(store) for _ in range(12)]
    won: list[tuple[str, str]] = []
    begin = threading.Barrier(len(owners))

    def take(owner: Owner) -> None:
        begin.wait()
        won.extend((run_id, owner.owner_id) for run_id in ids if store.leases.claim(run_id, owner) == 1)

    threads = [threading.Thread(target=take, args=(owner,)) for owner in owners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(run_id for run_id, _ in won) == sorted(ids)
    for owner in owners:
        assert set(store.leases.held(owner)) == {run_id for run_id, who in won if who == owner.owner_id}
    turns = store.leases.turns()
    assert [session for _, session in turns] == ["local"]
    assert turns[0][0] == len(ids), "each claim has a number of its own"
    assert store.leases.turns(len(ids)) == []


def test_what_a_command_queued_for_itself_is_nobody_elses(store: RunStore) -> None:
    me = Owner()
    run_id = store.create_run("train_toy", {}, title="t", session=COMMAND_LINE, owner=me)
    assert [job.run_id for job in store.leases.queued(ELSEWHERE.owner_id)] == []
    assert store.leases.claim(run_id, ELSEWHERE) is None
    assert not store.leases.take_from_queue(run_id, ELSEWHERE)
    assert [lease.run_id for lease in store.leases.of_others(ELSEWHERE)] == [run_id]
    assert store.leases.claim(run_id, me) == 1
    assert store.leases.claim(run_id, me) is None


def test_a_stopped_server_hands_its_run_back_to_its_place(store: RunStore) -> None:
    first, second = waiting(store), waiting(store)
    attempt = store.leases.claim(first, ELSEWHERE)
    assert attempt == 1
    assert not store.leases.hand_back(first, attempt, Owner(), "not its own")
    assert not store.leases.hand_back(first, attempt + 1, ELSEWHERE, "no start of its")
    store.leases.finish(first, attempt, RunState.INTERRUPTED, "its worker said so")
    assert store.leases.hand_back(first, attempt, ELSEWHERE, "The server was stopped.")
    assert store.get_run(first).message == "The server was stopped."
    queue = store.leases.queued("any")
    assert [(job.run_id, job.begun) for job in queue] == [(first, True), (second, False)]
    assert store.leases.of_others(Owner()) == []
    assert not store.leases.hand_back(first, attempt, ELSEWHERE, "twice")


def test_a_run_is_taken_up_twice_at_one_place(store: RunStore) -> None:
    run_id, other = waiting(store), waiting(store)

    def is_interrupted_at(fraction: float) -> None:
        attempt = store.leases.claim(run_id, ELSEWHERE)
        assert attempt is not None
        store.update_progress(run_id, fraction, "", attempt=attempt)
        [lease] = store.leases.of_others(Owner())
        assert store.leases.interrupt(lease, "gone")
        assert [each.run_id for each in store.leases.interrupted()] == [run_id]

    taken = []
    for fraction in (0.25, 0.25, 0.5, 0.5):
        is_interrupted_at(fraction)
        taken.append(store.leases.take_up(run_id, NOBODY, AGAIN))
        assert [job.run_id for job in store.leases.queued("any")] == [run_id, other]
    is_interrupted_at(0.5)
    assert [*taken, store.leases.take_up(run_id, NOBODY, AGAIN)] == [*[True] * 4, False]
    assert store.get_run(run_id).state is RunState.INTERRUPTED
    assert store.log_lines(run_id) == ["again at 25%"] * 2 + ["again at 50%"] * 2
    with pytest.raises(InvalidInput, match="Only an interrupted run"):
        store.leases.take_up(other, NOBODY, AGAIN)


def test_a_wish_to_cancel_outlives_the_server_that_had_not_heard_it(store: RunStore) -> None:
    run_id = waiting(store)
    store.leases.claim(run_id, ELSEWHERE)
    store.leases.request_cancel(run_id)
    [lease] = store.leases.of_others(Owner())
    store.leases.interrupt(lease, "gone")
    store.leases.take_up(run_id, NOBODY, AGAIN)
    assert store.get_run(run_id).state is RunState.CANCELLED
    assert store.leases.queued("any") == []
    store.leases.enqueue(run_id, NOBODY)
    assert store.leases.claim(run_id, ELSEWHERE) == 2
    assert store.leases.cancel_requests(ELSEWHERE) == [], "that wish was met"


def test_who_is_taken_for_dead_and_wakes_up_writes_nothing_more(store: RunStore) -> None:
    run_id = waiting(store)
    old = store.leases.claim(run_id, ELSEWHERE)
    ledger = store.ledger(run_id, attempt=old)
    ledger.log_metrics(1, {"loss": 1.0})
    [lease] = store.leases.of_others(Owner())
    store.leases.interrupt(lease, "gone")
    store.leases.take_up(run_id, NOBODY, AGAIN)
    for claimed in (False, True):
        if claimed:
            assert store.leases.claim(run_id, Owner()) == 2
        for write in (
            lambda: ledger.checkpoint(b"x", fraction=1.0),
            lambda: ledger.log_metrics(2, {"loss": 0.0}),
            lambda: ledger.save_artifact("x", b"x", ""),
        ):
            with pytest.raises(Exception, match="taken over elsewhere"):
                write()
        assert not store.leases.finish(run_id, old or 0, RunState.DONE, "")
        assert not store.update_progress(run_id, 0.9, "old", attempt=old)
    assert store.ledger(run_id).metrics() == [{"loss": 1.0, "step": 1}]
    assert store.get_run(run_id).fraction == 0.0


def test_a_server_is_drained_until_somebody_says_otherwise(store: RunStore) -> None:
    me = Owner()
    store.servers.sign(me, does=PAGES, workers=1)
    store.servers.sign(ELSEWHERE, does=JOBS, workers=1)
    assert not store.servers.is_drained(ELSEWHERE)
    store.servers.drain(ELSEWHERE.owner_id, True)
    store.servers.sign(ELSEWHERE, does=JOBS, workers=1)
    assert [store.servers.is_drained(owner) for owner in (me, ELSEWHERE)] == [False, True]
    assert [server.draining for server in store.servers.living()] == [False, True]
    store.servers.drain(ELSEWHERE.owner_id, False)
    assert not store.servers.is_drained(ELSEWHERE)
    store.servers.end(ELSEWHERE)
    with pytest.raises(NotFound, match="ended"):
        store.servers.drain(ELSEWHERE.owner_id, True)
    assert not store.servers.is_drained(replace(me, owner_id="f" * 32)), "one that has not signed yet"


def test_what_each_server_did_is_counted_for_who_had_the_run_last(store: RunStore) -> None:
    me = Owner()
    assert store.servers.work() == {}
    for owner in (me, me, ELSEWHERE):
        run_id = waiting(store)
        attempt = store.leases.claim(run_id, owner)
        store.ledger(run_id, attempt=attempt).add_measurements(
            0, [Measurement((i,), {"a": 0.5}) for i in range(3)]
        )
        time.sleep(0.05)
        store.update_progress(run_id, 0.5, "half", attempt=attempt)
    waiting(store)
    store.set_state(run_id, RunState.DONE)
    work = store.servers.work()
    assert {owner: (each.ended, each.measured) for owner, each in work.items()} == {
        me.owner_id: (0, 6),
        ELSEWHERE.owner_id: (1, 3),
    }
    assert work[me.owner_id].seconds >= 0.1
