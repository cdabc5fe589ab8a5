"""The session's own promises, against a place that misbehaves on purpose."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from core.errors import CoreError, DataUnavailable
from core.executors import Call, Done, Node, Session
from core.executors import session as module
from core.executors.backend import Backend, Event, Failed, Finished, Kept, Lost

NOW = [0.0]


@pytest.fixture(autouse=True)
def time_passes_where_one_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.time, "monotonic", lambda: NOW[0])


class Scripted(Backend):
    """Says what the test tells it to; `answers` makes events of each call that is submitted."""

    def __init__(self, slots: int = 2) -> None:
        self.n = slots
        self.submitted: list[tuple[int, Call]] = []
        self.events: list[Event] = []
        self.answers: list[Event] | None = None
        self.stops = 0
        self.wanted: list[int] = []

    @property
    def slots(self) -> int:
        return self.n

    def nodes(self) -> list[Node]:
        return [Node("here", self.n, 1, "2", "c")]

    def submit(self, ticket: int, call: Call) -> None:
        self.submitted.append((ticket, call))

    def wait(self, seconds: float) -> list[Event]:
        events, self.events = self.events, []
        if not events:
            NOW[0] += seconds
        return events

    def want(self, waiting: int) -> None:
        self.wanted.append(waiting)

    def stop(self) -> None:
        self.stops += 1

    def finish(self, ticket: int, value: bytes = b"v", node: str = "here") -> None:
        self.events.append(Finished(ticket, value, node, 1.5))


def calls(*keys: str) -> Iterator[Call]:
    return (Call(key, "m:f", b"") for key in keys)


def test_who_answers_twice_is_heard_once() -> None:
    place = Scripted()
    running = Session(place).run(calls("a", "b"))
    assert next(running) is None
    place.finish(1, b"first")
    place.finish(1, b"again")
    place.finish(99, b"nobody's")
    assert next(running) == Done("a", b"first", "here", 1.5)
    assert next(running) is None
    place.finish(1, b"late")
    place.finish(2, b"second")
    assert [done for done in running if done] == [Done("b", b"second", "here", 1.5)]
    assert place.stops == 0, "nothing was left to stop"


def test_what_was_lost_and_answers_after_all_counts_once() -> None:
    place = Scripted(1)
    running = Session(place).run(calls("a"))
    next(running)
    place.events = [Lost(1, "it fell"), Finished(1, b"late", "here", 1.0)]
    assert next(running) is None
    assert [call.key for _, call in place.submitted] == ["a", "a"]
    place.finish(2, b"good")
    place.events.append(Lost(2, "it fell"))
    assert [done.value for done in running if done] == [b"good"]
    assert len(place.submitted) == 2


def test_the_last_checkpoint_goes_with_the_next_start(capsys: pytest.CaptureFixture[str]) -> None:
    place, kept = Scripted(1), []
    running = Session(place).run(calls("a"), keep=lambda *each: kept.append(each))
    next(running)
    place.events = [Kept(1, b"one", 0.1), Kept(1, b"two", 0.2), Lost(1, "it fell"), Kept(1, b"old", 0.9)]
    next(running)
    assert kept == [("a", b"one", 0.1), ("a", b"two", 0.2)]
    assert place.submitted[1] == (2, Call("a", "m:f", b"", b"two"))
    assert capsys.readouterr().err == "a is started again: it fell.\n"


def test_a_call_that_is_lost_again_and_again_ends_the_run() -> None:
    place = Scripted(2)
    running = Session(place).run(calls("a", "b"))
    next(running)

    def lose() -> None:
        for _ in range(9):
            ticket = max(t for t, call in place.submitted if call.key == "a")
            place.events = [Lost(ticket, "it fell")]
            next(running)

    with pytest.raises(
        CoreError, match=r"^a was started 4 times, and each time it fell\. What was measured is"
    ):
        lose()
    assert place.stops == 1, "b ran still"


def test_a_failure_stops_the_others() -> None:
    place = Scripted(2)
    running = Session(place).run(calls("a", "b", "c"))
    next(running)
    place.events = [Failed(1, "DataUnavailable", "No data.")]
    with pytest.raises(DataUnavailable, match=r"^No data\.$"):
        next(running)
    assert place.stops == 1
    assert len(place.submitted) == 2


@pytest.mark.parametrize("error", ["", "Path", "sys", "_nothing"])
def test_a_failure_of_no_class_of_ours_is_a_plain_one(error: str) -> None:
    place = Scripted(1)
    running = Session(place).run(calls("a"))
    next(running)
    place.events = [Failed(1, error, "OSError: it burns")]
    with pytest.raises(
        CoreError, match=r"^a \(m:f\) stopped with an unexpected error: OSError: it burns\. What"
    ) as found:
        next(running)
    assert type(found.value) is CoreError


def test_slots_that_come_late_are_used_and_lost_ones_waited_for() -> None:
    place = Scripted(1)
    running = Session(place).run(calls("a", "b", "c", "d"))
    next(running)
    assert len(place.submitted) == 1
    place.n = 3
    next(running)
    assert len(place.submitted) == 3
    place.n = 0
    place.events = [Lost(t, "gone") for t in (1, 2, 3)]
    next(running)
    next(running)
    assert len(place.submitted) == 3
    place.n = 1
    next(running)
    assert [call.key for _, call in place.submitted[3:]] == ["a"]


def test_nobody_there_for_two_minutes_ends_the_run() -> None:
    place, began = Scripted(0), NOW[0]
    with pytest.raises(
        CoreError, match=r"^Nobody has been there to compute for 120 seconds\. What was measured"
    ):
        list(Session(place).run(calls("a")))
    assert 120 <= NOW[0] - began <= 122


def test_it_asks_again_only_after_a_result() -> None:
    place, asked = Scripted(2), []

    def given() -> Iterator[Call | None]:
        yield Call("a", "m:f", b"")
        for i in itertools.count():
            asked.append(i)
            yield None

    running = Session(place).run(given())
    for _ in range(5):
        next(running)
    assert asked == [0]
    place.events = [Kept(1, b"k", 0.5)]
    next(running)
    assert asked == [0], "a checkpoint is no result"
    place.finish(1)
    assert next(running) is not None
    next(running)
    assert asked == [0, 1]


def test_an_unused_run_asks_for_nothing_and_one_at_a_time_runs() -> None:
    place = Scripted()
    session = Session(place)
    taken: list[int] = []
    unused = session.run(taken.append(i) or Call(str(i), "m:f", b"") for i in range(3))  # type: ignore[func-returns-value]
    assert taken == []
    first = session.run(calls("a"))
    next(first)
    with pytest.raises(RuntimeError, match="one iterator"):
        next(session.run(calls("b")))
    first.close()  # type: ignore[attr-defined]
    assert place.stops == 1
    next(unused)
    assert taken == [0, 1]


def test_nodes_say_what_this_session_had_of_them() -> None:
    place = Scripted(2)
    session = Session(place)
    running = session.run(calls("a", "b"))
    next(running)
    place.finish(1)
    place.finish(2, node="elsewhere")
    assert len([done for done in running if done]) == 2
    (node,) = session.nodes()
    assert (node.done, node.seconds) == (1, 1.5)


def test_a_place_hears_what_waits_for_it_and_that_nothing_does_any_more() -> None:
    place = Scripted(1)
    left = ["a", "b", "c"]

    def given() -> Iterator[Call]:
        while left:
            yield Call(left.pop(0), "m:f", b"")

    running = Session(place).run(given(), waiting=lambda: len(left))
    next(running)
    assert place.wanted[-1] == 2
    place.n = 2
    next(running)
    assert place.wanted[-1] == 1, "one has found room"
    place.events = [Lost(1, "gone")]
    place.n = 1
    next(running)
    assert place.wanted[-1] == 2, "what was lost waits, too"
    running.close()  # type: ignore[attr-defined]
    assert place.wanted[-1] == 0


def test_a_place_with_room_hears_of_nothing_and_who_does_not_know_says_one() -> None:
    place = Scripted(2)
    running = Session(place).run(itertools.chain([Call("a", "m:f", b""), None], calls("b", "c", "d")))
    next(running)
    assert place.wanted[-1] == 0
    place.finish(1)
    next(running)
    next(running)
    assert place.wanted[-1] == 1
    nobody = Scripted(0)
    running = Session(nobody).run(calls("a"))
    next(running)
    assert nobody.wanted[-1] == 1, "where nobody is, a first one is missing"
