"""A search with several answers on their way: order, record, resuming, and that nothing is told or measured twice."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import count
from typing import Any

import numpy as np
import pytest

from core.errors import DamagedArtifact, InvalidInput
from core.library.search_in_flight import Answer, Question, Width, began_in_flight, search_in_flight
from core.library.search_log import Limits
from core.records import Measurement, Progress
from core.search import ALGORITHMS, Problem, SearchAlgorithm
from core.spaces import Arch
from core.store import MemoryLedger
from core.workflows.search_front import Request, search
from tests.helpers.planted import COST, QUALITY, Planted, flat_space, large_space

BOTH = (QUALITY, COST)
FIXED = {"quality": 0.0}


class AtOnce:
    """Measures up to `slots` questions at once; which is done first is drawn, or always the newest or the oldest."""

    def __init__(self, planted: Planted, slots: int, order: int | str = 0) -> None:
        self.planted, self.slots, self.order = planted, slots, order
        self.rng = np.random.default_rng(order if isinstance(order, int) else 0)
        self.calls: Counter[Arch] = Counter()
        self.most = 0

    def __call__(self, questions: Iterator[Question | None]) -> Generator[Answer | None]:
        running: list[Question] = []
        while True:
            while len(running) < self.slots:
                question = next(questions, None)
                if question is None:
                    break
                running.append(question)
                self.calls.update(question[1])
            self.most = max(self.most, len(running))
            if not running:
                return
            yield None
            at = {"newest": -1, "oldest": 0}.get(str(self.order), int(self.rng.integers(len(running))))
            number, archs = running.pop(at)
            yield number, self.planted.measure(archs)[::-1]


class Watched:
    """An algorithm that notes what it was asked and told."""

    def __init__(self, inner: SearchAlgorithm) -> None:
        self.inner = inner
        self.log: list[tuple[str, tuple[Any, ...]]] = []

    def ask(self, n: int) -> list[Arch]:
        found = self.inner.ask(n)
        self.log.append(("ask", (n, *found)))
        return found

    def tell(self, measurements: Sequence[Measurement]) -> None:
        self.log.append(("tell", tuple(m.arch for m in measurements)))
        self.inner.tell(measurements)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def digest(self) -> str:
        return hashlib.sha256(json.dumps(self.log).encode()).hexdigest()


def algorithm_of(name: str = "nsga2", seed: int = 0) -> Watched:
    config = {"population": 6} if name == "nsga2" else {}
    problem = Problem(large_space(), BOTH)
    return Watched(ALGORITHMS.create(name, config, problem=problem, seed=seed))


def start(
    ledger: MemoryLedger,
    *,
    questions: int = 4,
    most: int = 1,
    budget: int = 30,
    name: str = "nsga2",
    seed: int = 0,
    order: int | str = 0,
    seconds: float | None = None,
    clock: Callable[[], float] | None = None,
    width: Callable[[], Width] | None = None,
) -> tuple[Iterator[Progress], Watched, AtOnce]:
    algorithm, measure = algorithm_of(name, seed), AtOnce(Planted(large_space()), questions, order)
    given: dict[str, Any] = {"clock": clock} if clock else {}
    steps = search_in_flight(
        Limits(budget, seconds),
        algorithm,  # type: ignore[arg-type]
        measure,
        FIXED,
        ledger,
        width=width or (lambda: Width(questions, most)),
        **given,
    )
    return steps, algorithm, measure


def answers(ledger: MemoryLedger) -> list[list[Arch]]:
    found: dict[int, list[Arch]] = {}
    for step, measurement in ledger.measurements():
        found.setdefault(step, []).append(measurement.arch)
    return [found[step] for step in range(len(found))]


def plain_rows(ledger: MemoryLedger) -> list[dict[str, Any]]:
    return [{n: v for n, v in row.items() if not n.endswith("seconds")} for row in ledger.metrics()]


@pytest.mark.parametrize("order", [1, "newest", "oldest"])
@pytest.mark.parametrize("name", ["nsga2", "random_search", "regularized_evolution"])
def test_so_many_are_on_their_way_and_each_is_told_once_as_it_comes(name: str, order: int | str) -> None:
    ledger = MemoryLedger()
    steps, algorithm, measure = start(ledger, name=name, order=order)
    progress = list(steps)
    assert measure.most == 4
    assert len(measure.calls) == 30
    assert max(measure.calls.values()) == 1
    told = [arch for what, archs in algorithm.log if what == "tell" for arch in archs]
    assert told == [m.arch for _, m in ledger.measurements()]
    assert len(set(told)) == 30
    assert [p.fraction for p in progress] == sorted(p.fraction for p in progress)
    assert "30 of 30" in progress[-1].message
    if order == "newest":
        assert told != [arch for what, said in algorithm.log if what == "ask" for arch in said[1:]]


def test_each_step_says_what_was_known_when_it_was_asked() -> None:
    ledger = MemoryLedger()
    steps, algorithm, _ = start(ledger, order="newest")
    list(steps)
    knew = []
    told = -1  # the first call tells nothing
    for what, archs in algorithm.log:
        if what == "tell":
            told += 1
        elif len(archs) > 1:
            knew.append(told)
    rows = ledger.metrics()
    assert sorted(row["asked"] for row in rows) == list(range(30))
    assert [row["knew"] for row in rows] == [knew[int(row["asked"])] for row in rows]
    assert {row["in_flight"] for row in rows[:20]} == {3}
    assert [row["evaluations"] for row in rows] == list(range(1, 31))


def test_one_at_a_time_is_the_search_as_it_always_was() -> None:
    planted, plain, flight = Planted(large_space()), MemoryLedger(), MemoryLedger()
    inner = ALGORITHMS.create("nsga2", {"population": 6}, problem=Problem(large_space(), BOTH), seed=3)
    request = Request(supernet="planted", budget=33)
    list(search(request, inner, lambda archs: iter(planted.measure(archs)), FIXED, plain))
    list(start(flight, questions=1, budget=33, seed=3)[0])
    assert flight.measurements() == plain.measurements()
    more = {"asked", "knew", "in_flight"}
    assert [{n: v for n, v in r.items() if n not in more} for r in plain_rows(flight)] == plain_rows(plain)
    assert [(a.name, a.sha256) for a in flight.artifacts()] == [(a.name, a.sha256) for a in plain.artifacts()]


@pytest.mark.parametrize("most", [1, 2])
@pytest.mark.parametrize("name", ["nsga2", "local_search"])
def test_a_resumed_run_asks_what_it_would_have_asked_at_every_cut(name: str, most: int) -> None:
    whole = MemoryLedger()
    steps, uninterrupted, _ = start(whole, name=name, order=5, most=most)
    n_yields = len(list(steps))
    for cut in range(1, n_yields, 11):
        ledger = MemoryLedger()
        steps, before, _ = start(ledger, name=name, order=5, most=most)
        for _ in range(cut):
            next(steps)
        steps.close()  # type: ignore[attr-defined]
        measured = len(ledger.measurements())
        steps, after, measure = start(ledger, name=name, order=7, most=most)
        next(steps)
        # Until the record ends, the same questions and the same answers in the same order, by hash.
        n = len(before.log)
        assert after.log[:n] == before.log == uninterrupted.log[:n]
        list(steps)
        assert len(measure.calls) == 30 - measured
        told = [arch for what, archs in after.log if what == "tell" for arch in archs]
        assert told == [m.arch for _, m in ledger.measurements()]
        assert len(set(told)) == 30
        # And the finished record is repeated to the last question without measuring anything.
        steps, again, idle = start(ledger, name=name, order=9, most=most)
        list(steps)
        assert not idle.calls
        assert again.digest() == after.digest()


class KilledLedger(MemoryLedger):
    """Dies at the start or at the end of the k-th write."""

    def __init__(self, call: int, after: bool) -> None:
        super().__init__()
        self.call, self.after = call, after

    def _maybe_die(self, write: Any, *arguments: Any, **named: Any) -> Any:
        self.call -= 1
        if self.call == 0 and not self.after:
            raise KeyboardInterrupt
        result = write(*arguments, **named)
        if self.call == 0:
            raise KeyboardInterrupt
        return result

    def add_measurements(self, *arguments: Any) -> None:
        self._maybe_die(super().add_measurements, *arguments)

    def log_metrics(self, *arguments: Any) -> None:
        self._maybe_die(super().log_metrics, *arguments)

    def checkpoint(self, *arguments: Any, **named: Any) -> None:
        self._maybe_die(super().checkpoint, *arguments, **named)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_kill_at_any_write_loses_no_answer_and_tells_none_twice(after: bool) -> None:
    for call in range(1, 50):
        ledger = KilledLedger(call, after)
        steps, before, _ = start(ledger, order="oldest", budget=16)
        try:
            list(steps)
            break
        except KeyboardInterrupt:
            pass
        kept = ledger.measurements()
        steps, resumed, measure = start(ledger, order="newest", budget=16)
        list(steps)
        assert ledger.measurements()[: len(kept)] == kept
        assert len(measure.calls) == 16 - len(kept)
        assert max(Counter(m.arch for _, m in ledger.measurements()).values()) == 1
        # What had been asked when it was killed was asked again, and is what was measured next.
        asked = [log for log in before.log if log[0] == "ask"]
        assert [log for log in resumed.log if log[0] == "ask"][: len(asked)] == asked
        assert [row["evaluations"] for row in ledger.metrics()] == list(range(1, 17))
    assert call == 1 + 2 * 16 + 1


def test_a_run_may_go_on_with_more_or_fewer_at_once_and_be_resumed_again() -> None:
    ledger = MemoryLedger()
    logs: list[list[Any]] = []
    for questions, until in ((4, 9), (7, 14), (2, 22), (5, 30)):
        steps, algorithm, measure = start(ledger, questions=questions, order=questions)
        while len(ledger.measurements()) < until:
            next(steps)
        steps.close()  # type: ignore[attr-defined]
        assert measure.most <= max(questions, 7)
        for before in logs:
            assert algorithm.log[: len(before)] == before
        logs.append(algorithm.log)
    assert json.loads(ledger.latest_checkpoint() or b"") == [[0, 4, 1], [9, 7, 1], [14, 2, 1], [22, 5, 1]]
    assert began_in_flight(ledger)


def test_a_cluster_that_grows_is_used_at_once() -> None:
    ledger, size = MemoryLedger(), [2]
    steps, _, measure = start(ledger, width=lambda: Width(size[0], 1))
    measure.slots = 9
    seen = []
    for _ in steps:
        seen.append(measure.most)
        if len(ledger.measurements()) == 5:
            size[0] = 6
    assert seen[3] == 2
    assert measure.most == 6
    again, repeated, idle = start(ledger, width=lambda: Width(6, 1))
    list(again)
    assert not idle.calls
    assert [arch for what, told in repeated.log if what == "tell" for arch in told] == [
        m.arch for _, m in ledger.measurements()
    ]


def test_questions_hold_a_share_of_a_batch() -> None:
    assert [Width(1, 3).size(50), Width(2, 100).size(50), Width(2, 3).size(50), Width(64, 9).size(50)] == [
        50,
        25,
        3,
        1,
    ]
    ledger = MemoryLedger()
    list(start(ledger, questions=2, most=100)[0])
    assert {len(archs) for archs in answers(ledger)} == {3}


def test_seconds_end_a_search_and_what_is_on_its_way_is_told() -> None:
    def ticking(step: float = 1.0) -> Callable[[], float]:
        return (n * step for n in count()).__next__

    ledger = MemoryLedger()
    steps, _, measure = start(ledger, budget=200, seconds=60, clock=ticking())
    *_, last = steps
    assert "Its 60 seconds are spent." in last.message
    made = len(ledger.measurements())
    assert 4 < made < 60
    assert sum(measure.calls.values()) == made
    spent = [float(row["seconds"]) for row in ledger.metrics()]
    assert sum(s < 60 for s in spent) + 4 >= made > sum(s < 60 for s in spent)
    again, _, idle = start(ledger, budget=200, seconds=60, clock=ticking(1e-9))
    list(again)
    assert not idle.calls


def test_an_answer_that_comes_twice_is_told_once() -> None:
    class Twice(AtOnce):
        def __call__(self, questions: Iterator[Question | None]) -> Generator[Answer | None]:
            for answer in super().__call__(questions):
                yield answer
                yield answer

    ledger, algorithm = MemoryLedger(), algorithm_of()
    measure = Twice(Planted(large_space()), 3)
    list(search_in_flight(Limits(20), algorithm, measure, FIXED, ledger, width=lambda: Width(3)))  # type: ignore[arg-type]
    told = Counter(arch for what, archs in algorithm.log if what == "tell" for arch in archs)
    assert len(told) == 20
    assert max(told.values()) == 1


def test_records_of_other_requests_and_damaged_ones_are_refused() -> None:
    ledger = MemoryLedger()
    list(start(ledger, seed=1)[0])
    before = ledger.measurements()
    with pytest.raises(InvalidInput, match="new run"):
        list(start(ledger, seed=2)[0])
    assert ledger.measurements() == before
    ledger.checkpoint(b"[[0]]", fraction=0.0)
    with pytest.raises(DamagedArtifact, match="start it anew"):
        list(start(ledger, seed=1)[0])


class Repeating(SearchAlgorithm):
    """Asks for the same four architectures again and again."""

    name = "repeating"

    def ask(self, n: int) -> list[Arch]:
        return [tuple(row) for row in self.space.array()[:4].tolist()][:n]

    def tell(self, measurements: Sequence[Measurement]) -> None:
        pass


def test_a_stuck_algorithm_ends_and_measures_nothing_twice() -> None:
    planted, ledger = Planted(flat_space(7)), MemoryLedger()
    measure = AtOnce(planted, 3)
    algorithm = Repeating(problem=Problem(planted.space, BOTH), seed=0)
    list(search_in_flight(Limits(1000), algorithm, measure, {}, ledger, width=lambda: Width(3, 2)))
    assert max(measure.calls.values()) == 1
    assert len(ledger.measurements()) == len(measure.calls) == 2 + 0 * 4
