"""The search loop: what it records, what it repeats, and that nothing is measured twice. No torch."""

from __future__ import annotations

import csv
import io
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

import numpy as np
import pytest

from core.errors import InvalidInput, NotFound
from core.library.searches import EVALUATIONS_FILE, SearchRecord
from core.pareto import Constraint, hypervolume, non_dominated
from core.records import Measurement, Obtained, Progress, Source
from core.search import ALGORITHMS, Problem, SearchAlgorithm
from core.spaces import Arch, SearchSpace
from core.store import MemoryLedger
from core.workflows.search_front import Request, search
from tests.helpers.planted import COST, QUALITY, Planted, flat_space, large_space, small_space

BOTH = (QUALITY, COST)
MAXIMIZE = [True, False]


class Evaluator:
    """Measures in an order of its own, and counts."""

    def __init__(self, planted: Planted) -> None:
        self.planted = planted
        self.calls: Counter[Arch] = Counter()

    def __call__(self, archs: Sequence[Arch]) -> Iterator[Measurement]:
        for arch in sorted(archs, reverse=True):
            self.calls[arch] += 1
            yield from self.planted.measure([arch])


def start(
    space: SearchSpace, ledger: MemoryLedger, *, budget: int = 30, name: str = "nsga2", seed: int = 0
) -> tuple[Iterator[Progress], Evaluator]:
    evaluator = Evaluator(Planted(space))
    config = {"population": 6} if name == "nsga2" else {}
    algorithm = ALGORITHMS.create(name, config, problem=Problem(space, BOTH), seed=seed)
    request = Request(supernet="planted", budget=budget)
    return search(request, algorithm, evaluator, {"quality": 0.0}, ledger), evaluator


def record(ledger: MemoryLedger) -> tuple[Any, ...]:
    """What a run wrote down, without what the clock decides."""
    rows = [{n: v for n, v in row.items() if not n.endswith("seconds")} for row in ledger.metrics()]
    return ledger.measurements(), rows, [(a.name, a.sha256) for a in ledger.artifacts()]


@pytest.mark.parametrize("name", ["nsga2", "random_search", "exhaustive"])
def test_resuming_after_any_yield_gives_the_uninterrupted_record(name: str) -> None:
    whole = MemoryLedger()
    n_yields = len(list(start(large_space(), whole, name=name)[0]))
    assert n_yields > 25
    for cut in range(n_yields):
        ledger = MemoryLedger()
        steps, _ = start(large_space(), ledger, name=name)
        for _ in range(cut):
            next(steps)
        steps.close()  # type: ignore[attr-defined]
        list(start(large_space(), ledger, name=name)[0])
        assert record(ledger) == record(whole), f"cut after {cut} yields"


class KilledLedger(MemoryLedger):
    """Dies at the start or at the end of the k-th write."""

    def __init__(self, call: int, after: bool) -> None:
        super().__init__()
        self.call, self.after = call, after

    def _maybe_die(self, write: Any, *arguments: Any) -> Any:
        self.call -= 1
        if self.call == 0 and not self.after:
            raise KeyboardInterrupt
        result = write(*arguments)
        if self.call == 0:
            raise KeyboardInterrupt
        return result

    def add_measurements(self, *arguments: Any) -> None:
        self._maybe_die(super().add_measurements, *arguments)

    def log_metrics(self, *arguments: Any) -> None:
        self._maybe_die(super().log_metrics, *arguments)

    def save_artifact(self, *arguments: Any) -> str:
        return str(self._maybe_die(super().save_artifact, *arguments))


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_resuming_after_a_kill_at_any_write_gives_the_uninterrupted_record(after: bool) -> None:
    whole = MemoryLedger()
    list(start(large_space(), whole)[0])
    for call in range(1, 100):
        ledger = KilledLedger(call, after)
        try:
            list(start(large_space(), ledger)[0])
            break  # it had fewer writes
        except KeyboardInterrupt:
            list(start(large_space(), ledger)[0])
        assert record(ledger) == record(whole), f"killed at write {call}"
    assert call == 2 * 5 + 2 + 1  # two writes per batch of 6, two artifacts


def test_resuming_a_finished_search_measures_nothing() -> None:
    ledger = MemoryLedger()
    list(start(large_space(), ledger)[0])
    before = record(ledger)
    steps, evaluator = start(large_space(), ledger)
    list(steps)
    assert not evaluator.calls
    assert record(ledger) == before


def test_the_record_is_in_the_order_asked_whatever_order_the_evaluator_has() -> None:
    ledger = MemoryLedger()
    list(start(large_space(), ledger)[0])
    asked = ALGORITHMS.create("nsga2", {"population": 6}, problem=Problem(large_space(), BOTH), seed=0).ask(6)
    assert [m.arch for _, m in ledger.measurements()[:6]] == asked
    assert [step for step, _ in ledger.measurements()] == [i // 6 for i in range(30)]


def test_the_budget_counts_distinct_architectures_and_is_spent_exactly() -> None:
    ledger = MemoryLedger()
    steps, evaluator = start(large_space(), ledger, budget=32)
    progress = list(steps)
    assert len(evaluator.calls) == 32
    assert max(evaluator.calls.values()) == 1
    assert [p.fraction for p in progress] == sorted(p.fraction for p in progress)
    assert progress[-1].fraction == 1.0
    assert "32 of 32" in progress[-1].message
    assert len(progress) >= 32  # a person can stop after every measurement


class Repeating(SearchAlgorithm):
    """Asks for the same four architectures again and again, then for nothing but them."""

    name = "repeating"
    told = 0

    def ask(self, n: int) -> list[Arch]:
        rows = self.space.array()[:4] if self.told < 8 else self.space.array()[2:6]
        return [tuple(row) for row in rows.tolist()][:n]

    def tell(self, measurements: Sequence[Measurement]) -> None:
        self.told += len(measurements)


def test_a_repeated_question_is_answered_from_memory_and_a_stuck_algorithm_ends() -> None:
    planted = Planted(flat_space(7))
    evaluator, ledger = Evaluator(planted), MemoryLedger()
    algorithm = Repeating(problem=Problem(planted.space, BOTH), seed=0)
    list(search(Request(supernet="x", budget=1000), algorithm, evaluator, {}, ledger))
    assert len(evaluator.calls) == 6
    assert max(evaluator.calls.values()) == 1
    assert len(ledger.measurements()) == 6
    assert algorithm.told > 6  # it was told what it asked, each time


def test_a_small_space_is_finished_before_the_budget_is() -> None:
    ledger = MemoryLedger()
    steps, evaluator = start(small_space(), ledger, budget=10_000)
    *_, before_last, last = steps
    assert len(evaluator.calls) == small_space().size == len(ledger.measurements())
    assert before_last.fraction == last.fraction == 1.0
    assert "36 of 36" in last.message


@pytest.mark.parametrize("name", ["nsga2", "exhaustive"])
def test_the_metrics_of_every_batch_follow_from_the_measurements(name: str) -> None:
    ledger = MemoryLedger()
    list(start(large_space(), ledger, budget=600 if name == "exhaustive" else 30, name=name)[0])
    summary = json.loads(ledger.artifact(SearchRecord.FILE))
    reference = [summary["reference"]["quality"], summary["reference"]["cost"]]
    assert reference[0] == 0.0
    first = [m.values["cost"] for step, m in ledger.measurements() if step == 0]
    assert reference[1] == pytest.approx(max(first) + 0.1 * (max(first) - min(first)))
    for metrics in ledger.metrics():
        so_far = [m for step, m in ledger.measurements() if step <= metrics["step"]]
        points = [[m.values["quality"], m.values["cost"]] for m in so_far]
        assert metrics["evaluations"] == len(so_far)
        assert metrics["front_size"] == non_dominated(points, maximize=MAXIMIZE).sum()
        assert metrics["hypervolume"] == pytest.approx(hypervolume(points, reference, maximize=MAXIMIZE))
    assert summary["hypervolume"] == ledger.metrics()[-1]["hypervolume"]


def test_the_table_marks_the_front_of_all_measurements() -> None:
    ledger = MemoryLedger()
    list(start(large_space(), ledger)[0])
    rows = list(csv.DictReader(io.StringIO(ledger.artifact(EVALUATIONS_FILE).decode())))
    assert list(rows[0]) == ["architecture", "quality", "cost", "on_front", "source"]
    space = large_space()
    assert [space.from_dict(json.loads(r["architecture"])) for r in rows] == [
        m.arch for _, m in ledger.measurements()
    ]
    points = np.array([[float(r["quality"]), float(r["cost"])] for r in rows])
    assert [r["on_front"] == "True" for r in rows] == non_dominated(points, maximize=MAXIMIZE).tolist()
    assert {r["source"] for r in rows} == {"measured"}


def test_a_failed_measurement_is_kept_but_never_on_the_front() -> None:
    planted, ledger = Planted(large_space()), MemoryLedger()

    def broken(archs: Sequence[Arch]) -> Iterator[Measurement]:
        for index, m in enumerate(planted.measure(archs)):
            yield m if index % 2 else Measurement(m.arch, {"quality": float("nan"), "cost": -1e9})

    algorithm = ALGORITHMS.create("nsga2", {"population": 10}, problem=Problem(planted.space, BOTH), seed=0)
    list(search(Request(supernet="x", budget=40), algorithm, broken, {}, ledger))
    rows = list(csv.DictReader(io.StringIO(ledger.artifact(EVALUATIONS_FILE).decode())))
    assert len(rows) == 40
    assert not [r for r in rows if not r["quality"] and r["on_front"] == "True"]
    assert np.isfinite([m["hypervolume"] for m in ledger.metrics()]).all()


def test_measurements_of_another_request_are_kept_and_refused() -> None:
    ledger = MemoryLedger()
    list(start(large_space(), ledger, seed=1)[0])
    before = ledger.measurements()
    with pytest.raises(InvalidInput, match="new run"):
        list(start(large_space(), ledger, seed=2)[0])
    with pytest.raises(InvalidInput, match="new run"):
        list(start(large_space(), ledger, seed=1, budget=12)[0])
    assert ledger.measurements() == before


@pytest.mark.parametrize("name", ["test_accuracy", "test_loss"])
def test_test_data_may_not_steer(name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot steer a search"):
        Request(supernet="x", objectives=[name, "macs"])


def test_objectives_must_exist_and_differ() -> None:
    with pytest.raises(NotFound, match="accuracy"):
        Request(supernet="x", objectives=["acuracy"])
    with pytest.raises(InvalidInput, match="only once"):
        Request(supernet="x", objectives=["macs", "macs"])


def test_what_is_only_predicted_is_recorded_and_stays_off_the_front() -> None:
    planted, ledger = Planted(large_space()), MemoryLedger()
    predicted = {"quality": Obtained(Source.PREDICTED)}

    def guessing(archs: Sequence[Arch]) -> Iterator[Measurement]:
        for index, m in enumerate(planted.measure(archs)):
            yield m if index % 2 else Measurement(m.arch, {"quality": 1e6, "cost": -1e6}, predicted)

    algorithm = ALGORITHMS.create("nsga2", {"population": 10}, problem=Problem(planted.space, BOTH), seed=0)
    *_, last = search(Request(supernet="x", budget=40), algorithm, guessing, {}, ledger)
    rows = list(csv.DictReader(io.StringIO(ledger.artifact(EVALUATIONS_FILE).decode())))
    guesses = [r for r in rows if r["source"].startswith("predicted")]
    assert len(rows) == 40
    assert len(guesses) == 20
    assert {r["on_front"] for r in guesses} == {"False"}
    honest = [[float(r["quality"]), float(r["cost"])] for r in rows if r not in guesses]
    assert ledger.metrics()[-1]["front_size"] == non_dominated(honest, maximize=MAXIMIZE).sum()
    assert "20 subnets are left out" in last.message


# --- bounds, seconds, and what earlier searches measured --------------------------------------------


def limited(
    ledger: MemoryLedger,
    *,
    constraints: Sequence[Constraint] = (),
    earlier: Sequence[Measurement] = (),
    clock: Callable[[], float] = time.perf_counter,
    **fields: Any,
) -> Iterator[Progress]:
    planted = Planted(large_space())
    problem = Problem(planted.space, BOTH, tuple(constraints), planted.counted)
    algorithm = ALGORITHMS.create("nsga2", {"population": 6}, problem=problem, seed=0)
    request = Request(supernet="planted", **fields)
    given = {"earlier": lambda: list(earlier), "clock": clock}
    return search(request, algorithm, lambda archs: iter(planted.measure(archs)), {}, ledger, **given)


def ticking(step: float = 1.0) -> Callable[[], float]:
    """A clock that is one step later at every look."""
    return (n * step for n in count()).__next__


def test_the_front_and_the_table_keep_the_bounds() -> None:
    ledger = MemoryLedger()
    bounds = [Constraint("cost", upper=20.0), Constraint("quality", lower=7.0)]
    *_, last = limited(ledger, constraints=bounds, budget=60)
    rows = list(csv.DictReader(io.StringIO(ledger.artifact(EVALUATIONS_FILE).decode())))
    points = np.array([[float(r["quality"]), float(r["cost"])] for r in rows])
    assert (points[:, 1] <= 20).all()  # known beforehand: never proposed
    within = points[:, 0] >= 7  # shown by measuring only
    assert 0 < within.sum() < 60
    expected = np.zeros(60, bool)
    expected[within] = non_dominated(points[within], maximize=MAXIMIZE)
    assert [r["on_front"] == "True" for r in rows] == expected.tolist()
    assert non_dominated(points, maximize=MAXIMIZE).tolist() != expected.tolist()
    assert ledger.metrics()[-1]["front_size"] == expected.sum()
    assert f"{60 - within.sum()} of them break a bound" in last.message


def test_seconds_end_a_search_with_the_batch_in_which_they_are_spent() -> None:
    whole = MemoryLedger()
    list(limited(whole, budget=60, clock=ticking()))
    per_batch = [row["seconds"] for row in whole.metrics()]
    assert per_batch == sorted(per_batch)
    assert all(0 < row["proposing_seconds"] < row["seconds"] for row in whole.metrics())
    for seconds in (1, per_batch[2], per_batch[2] + 1):
        ledger = MemoryLedger()
        progress = list(limited(ledger, budget=60, seconds=seconds, clock=ticking()))
        fractions = [p.fraction for p in progress]
        assert f"Its {seconds:g} seconds are spent." in progress[-1].message
        steps = 1 + sum(s < seconds for s in per_batch)
        assert ledger.measurements() == whole.measurements()[: 6 * steps]
        assert fractions == sorted(fractions)


@pytest.mark.parametrize("lost", [False, True], ids=["all stored", "the last batch's seconds lost"])
def test_a_resumed_run_counts_the_seconds_that_were_stored(lost: bool) -> None:
    ledger = MemoryLedger()
    steps = limited(ledger, budget=60, seconds=40, clock=ticking())
    while len(ledger.metrics()) < 3:
        next(steps)
    steps.close()  # type: ignore[attr-defined]
    if lost:
        before = ledger._metrics.pop(2)
    # A clock so slow that only what was stored can end the search, then one that ends it at once.
    list(limited(ledger, budget=60, seconds=40, clock=ticking(1e-9)))
    rows = ledger.metrics()
    assert len(ledger.measurements()) == 60
    if lost:
        assert rows[2]["seconds"] == pytest.approx(rows[1]["seconds"] * 3 / 2)
        assert rows[2]["seconds"] == pytest.approx(before["seconds"], rel=0.3)
    assert rows[-1]["seconds"] == pytest.approx(rows[2]["seconds"], abs=1e-6)


def test_what_earlier_searches_measured_is_told_first_and_never_measured_again() -> None:
    planted = Planted(large_space())
    first = MemoryLedger()
    list(limited(first, budget=40))
    known = [m for _, m in first.measurements()]
    ledger = MemoryLedger()
    progress = list(limited(ledger, earlier=known, from_runs=["a"], budget=30))
    steps = [step for step, _ in ledger.measurements()]
    assert steps == [-1] * 40 + [i // 6 for i in range(30)]
    assert len({m.arch for _, m in ledger.measurements()}) == 70
    assert [row["evaluations"] for row in ledger.metrics()] == [6, 12, 18, 24, 30]
    assert progress[-1].metrics["evaluations"] == 30
    points = [[m.values["quality"], m.values["cost"]] for _, m in ledger.measurements()]
    assert progress[-1].metrics["front_size"] == non_dominated(points, maximize=MAXIMIZE).sum()
    # It breeds from what it was told: better than as many evaluations from nothing.
    reference = planted.reference
    own = hypervolume(points[40:], reference, maximize=MAXIMIZE)
    alone = [[m.values["quality"], m.values["cost"]] for m in known[:30]]
    assert own > hypervolume(alone, reference, maximize=MAXIMIZE)
    # Resumed without the earlier searches, from the record alone.
    again = record(ledger)
    list(limited(ledger, from_runs=["a"], budget=30))
    assert record(ledger) == again
    with pytest.raises(InvalidInput, match="new run"):
        list(limited(ledger, budget=30))


def test_bounds_of_a_request_are_checked() -> None:
    for wrong in ({"objective": "test_accuracy", "lower": 0.5}, {"objective": "macs"}):
        with pytest.raises(InvalidInput, match=r"cannot steer|needs a smallest or a largest"):
            Request(supernet="x", constraints=[wrong])
    with pytest.raises(InvalidInput, match="at least 2 and at most 1"):
        Request(supernet="x", constraints=[{"objective": "macs", "lower": 2, "upper": 1}])
    bounded = Request(
        supernet="x", constraints=[{"objective": "params", "upper": 9}, {"objective": "macs", "lower": 1}]
    )
    assert bounded.measured == ["accuracy", "macs", "params"]
