"""What every search algorithm promises, checked on all that are registered."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from core.config import Settings
from core.errors import InvalidInput
from core.pareto import Constraint
from core.records import Measurement, Objective
from core.search import ALGORITHMS, Problem, SearchAlgorithm
from core.spaces import Arch, SearchSpace
from tests.helpers.planted import COST, QUALITY, Planted, flat_space, large_space, small_space

BOTH = (QUALITY, COST)
NAMES = ALGORITHMS.names()
ADAPTIVE = [name for name in NAMES if ALGORITHMS.get(name).adapts]
ANY_TIME = [name for name in NAMES if not ALGORITHMS.get(name).in_batches]

# Asking some algorithms takes milliseconds: they are checked with lighter settings, or on fewer evaluations.
QUICK: dict[str, Settings] = {
    "bayesian": {"batch": 50, "candidates": 80},
    "diffusion_nag": {"scales": 12, "drawn": 64, "score_steps": 250, "guide_steps": 50},
    "optuna_nsga2": {"population": 20},
    "optuna_tpe": {"startup": 25, "candidates": 12},
}
FEWER = {"bayesian": 2, "diffusion_nag": 2, "n2n": 2, "optuna_nsga2": 4, "optuna_tpe": 10}

every_algorithm = pytest.mark.parametrize("name", NAMES)


def build(
    name: str, space: SearchSpace, seed: int = 0, objectives: Sequence[Objective] = BOTH
) -> SearchAlgorithm:
    return ALGORITHMS.create(name, QUICK.get(name), problem=Problem(space, objectives), seed=seed)


def evaluations(name: str, usual: int) -> int:
    """How many an algorithm is watched for where others are for `usual`."""
    return usual // FEWER.get(name, 1)


def bounded(planted: Planted, share: float, least: float = 0.0) -> Problem:
    """A problem whose cost, known beforehand, must lie between two shares of what random architectures cost."""
    costs = planted.counted(planted.space.sample_array(4096, np.random.default_rng(0)))["cost"]
    low, high = np.quantile(costs, [least, share])
    return Problem(planted.space, BOTH, (Constraint("cost", float(low), float(high)),), planted.counted)


def drive(
    algorithm: SearchAlgorithm,
    planted: Planted,
    budget: int,
    batch: int | None = None,
    until: Arch | None = None,
) -> list[Arch]:
    """Ask and tell until the budget is spent, `until` was asked for or the algorithm is finished; what was asked."""
    asked: list[Arch] = []
    while len(asked) < budget and until not in asked:
        archs = algorithm.ask(min(batch or algorithm.batch_size, budget - len(asked)))
        if not archs:
            break
        asked += archs
        algorithm.tell(planted.measure(archs))
    return asked


@every_algorithm
@pytest.mark.parametrize("space", [small_space(), large_space()], ids=["small", "large"])
@pytest.mark.parametrize("n", [1, 3, 40])
def test_asks_for_different_canonical_architectures_at_most_n(name: str, space: SearchSpace, n: int) -> None:
    algorithm, planted = build(name, space), Planted(space)
    seen: list[Arch] = []
    for _ in range(max(evaluations(name, 6), 2)):
        archs = algorithm.ask(n)
        assert len(archs) <= n
        for arch in archs:
            assert type(arch) is tuple
            assert all(type(option) is int for option in arch)
            assert space.canonical(arch) == arch
        seen += archs
        algorithm.tell(planted.measure(archs))
    assert seen
    assert len(set(seen)) == len(seen)


@every_algorithm
def test_asking_for_nothing_and_telling_nothing_change_nothing(name: str) -> None:
    space = large_space()
    algorithm, plain = build(name, space), build(name, space)
    algorithm.tell([])
    assert algorithm.ask(0) == []
    algorithm.tell([])
    assert algorithm.ask(20) == plain.ask(20)


@every_algorithm
def test_the_same_seed_asks_the_same(name: str) -> None:
    planted = Planted(large_space())
    budget = evaluations(name, 150)
    first, second = (drive(build(name, planted.space, seed=3), planted, budget) for _ in range(2))
    assert first == second
    if name != "exhaustive":
        assert drive(build(name, planted.space, seed=4), planted, budget) != first


@every_algorithm
@pytest.mark.parametrize("batch", [7, None], ids=["odd batches", "its own batches"])
def test_replaying_the_log_continues_identically_at_every_cut(name: str, batch: int | None) -> None:
    planted = Planted(large_space())
    algorithm = build(name, planted.space, seed=5)
    size = batch or algorithm.batch_size
    log: list[tuple[int, list[Arch]]] = []
    for _ in range(max(evaluations(name, 6), 3)):
        archs = algorithm.ask(size)
        log.append((size, archs))
        algorithm.tell(planted.measure(archs))
    # The calls are the same wherever the log was cut, and an algorithm sees nothing else: this is every cut at once.
    resumed = build(name, planted.space, seed=5)
    for n, archs in log:
        assert resumed.ask(n) == archs
        resumed.tell(planted.measure(archs))


@every_algorithm
@pytest.mark.parametrize("batch", [5, 64])
def test_a_small_space_is_finished_having_seen_everything_once(name: str, batch: int) -> None:
    planted = Planted(small_space())
    algorithm = build(name, planted.space)
    asked = drive(algorithm, planted, 10_000, batch)
    assert sorted(asked) == [tuple(row) for row in planted.space.array().tolist()]
    assert algorithm.ask(10) == []


@every_algorithm
def test_a_space_of_one_architecture(name: str) -> None:
    space = SearchSpace(large_space().choices[:0] + small_space().choices[-1:])
    assert drive(build(name, space), Planted(space), 10) == [(0,)]


@every_algorithm
@pytest.mark.parametrize("share", [0.3, 1.0], ids=["some", "all"])
def test_tolerates_missing_infinite_and_nan_measurements(name: str, share: float) -> None:
    space, rng = large_space(), np.random.default_rng(1)
    planted, algorithm = Planted(space), build(name, space)
    broken = [
        {"quality": float("nan"), "cost": 1.0},
        {"quality": float("inf"), "cost": float("-inf")},
        {"cost": float("nan")},
        {},
    ]
    for _ in range(5):
        archs = algorithm.ask(algorithm.batch_size)
        assert archs
        measured = planted.measure(archs)
        algorithm.tell(
            [Measurement(m.arch, broken[rng.integers(4)]) if rng.random() < share else m for m in measured]
        )


@every_algorithm
def test_several_asks_may_come_before_a_tell(name: str) -> None:
    planted = Planted(large_space())
    algorithm = build(name, planted.space)
    first, second = algorithm.ask(30), algorithm.ask(30)
    assert len({*first, *second}) == 60
    algorithm.tell(planted.measure(second))
    algorithm.tell(planted.measure(first))
    assert len(algorithm.ask(30)) == 30


def fly(
    algorithm: SearchAlgorithm, planted: Planted, budget: int, order: int
) -> list[tuple[str, tuple[Any, ...]]]:
    """Eight architectures on their way at once, told one by one in an order of chance; what was asked and told."""
    rng, log = np.random.default_rng(order), list[tuple[str, tuple[Any, ...]]]()
    flying: list[Arch] = []
    asked, over = 0, False
    while not over or flying:
        while not over and len(flying) < 8:
            archs = algorithm.ask(1)
            log.append(("ask", tuple(archs)))
            asked, flying = asked + len(archs), flying + archs
            over = asked >= budget or not flying
            if not archs:
                break
        if flying:
            arch = flying.pop(int(rng.integers(len(flying))))
            algorithm.tell(planted.measure([arch]))
            log.append(("tell", arch))
    return log


def digest(log: Sequence[tuple[str, tuple[Any, ...]]]) -> str:
    return hashlib.sha256(json.dumps(log).encode()).hexdigest()


@pytest.mark.parametrize("name", ANY_TIME)
def test_answers_may_come_in_any_order_one_by_one(name: str) -> None:
    planted = Planted(large_space())
    budget = evaluations(name, 90)
    log = fly(build(name, planted.space, seed=5), planted, budget, order=1)
    told = [arch for what, arch in log if what == "tell"]
    assert len(told) == len(set(told)) == budget
    assert told != [archs[0] for what, archs in log if what == "ask" and archs]
    # Repeated call by call it asks the same, by hash; with the answers in another order it does not, if it learns.
    resumed, again = build(name, planted.space, seed=5), list[tuple[str, tuple[Any, ...]]]()
    for what, said in log:
        if what == "ask":
            again.append(("ask", tuple(resumed.ask(1))))
        else:
            resumed.tell(planted.measure([said]))
            again.append(("tell", said))
    assert digest(again) == digest(log)
    if ALGORITHMS.get(name).adapts:
        assert digest(fly(build(name, planted.space, seed=5), planted, budget, order=2)) != digest(log)


@pytest.mark.parametrize("name", ANY_TIME)
def test_a_small_space_is_finished_with_answers_in_any_order(name: str) -> None:
    planted = Planted(small_space())
    log = fly(build(name, planted.space), planted, 10_000, order=3)
    told = [arch for what, arch in log if what == "tell"]
    assert sorted(told) == [tuple(row) for row in planted.space.array().tolist()]


@pytest.mark.parametrize("name", sorted({*ANY_TIME} & {*ADAPTIVE}))
def test_with_answers_in_any_order_it_still_goes_the_way_the_objective_points(name: str) -> None:
    planted = Planted(flat_space())
    algorithm = build(name, planted.space, objectives=(QUALITY,))
    log = fly(algorithm, planted, evaluations(name, 800), order=4)
    values = [planted.values(arch)["quality"] for what, arch in log if what == "tell"]
    draws = planted.space.sample_array(2000, np.random.default_rng(0)).tolist()
    by_chance = [planted.values(tuple(row))["quality"] for row in draws]
    assert np.mean(values[-len(values) // 4 :]) > np.quantile(by_chance, 0.95)


@every_algorithm
def test_does_not_ask_for_what_it_was_told_unasked(name: str) -> None:
    planted = Planted(small_space())
    everything = [tuple(row) for row in planted.space.array().tolist()]
    algorithm = build(name, planted.space)
    asked = algorithm.ask(2)
    algorithm.tell(planted.measure(asked))
    told = everything[:6] + everything[-6:]
    algorithm.tell(planted.measure(told))
    asked += drive(algorithm, planted, 100)
    assert sorted({*asked, *told}) == everything
    assert not set(asked[2:]) & {*told, *asked[:2]}


@every_algorithm
@pytest.mark.parametrize("objectives", [(QUALITY,), (COST, QUALITY)], ids=["one", "other order"])
def test_any_number_and_order_of_objectives(name: str, objectives: tuple[Objective, ...]) -> None:
    planted = Planted(large_space())
    budget = evaluations(name, 200)
    assert len(drive(build(name, planted.space, objectives=objectives), planted, budget)) == budget


@every_algorithm
def test_touches_no_global_random_state(name: str) -> None:
    planted = Planted(large_space())
    numpy_before, python_before = np.random.get_state(), random.getstate()
    drive(build(name, planted.space), planted, evaluations(name, 200))
    numpy_after = np.random.get_state()
    assert all(np.array_equal(a, b) for a, b in zip(numpy_before, numpy_after, strict=True))
    assert random.getstate() == python_before


@every_algorithm
def test_settings_are_described_and_unknown_ones_refused(name: str) -> None:
    algorithm = ALGORITHMS.get(name)
    assert issubclass(algorithm.Config, BaseModel)
    algorithm.Config()
    assert all(field.description for field in algorithm.Config.model_fields.values())
    info = ALGORITHMS.info(name)
    assert info.label
    assert info.source
    assert info.summary.endswith(".")
    with pytest.raises(InvalidInput, match="no_such_setting"):
        ALGORITHMS.create(name, {"no_such_setting": 1}, problem=Problem(small_space(), BOTH), seed=0)
    with pytest.raises(InvalidInput, match="only once"):
        ALGORITHMS.create(name, problem=Problem(small_space(), (COST, COST)), seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", ADAPTIVE)
@pytest.mark.parametrize("maximize", [True, False])
def test_an_adaptive_algorithm_goes_the_way_the_objective_points(name: str, maximize: bool) -> None:
    planted = Planted(flat_space())
    objective = Objective("quality", "", "", maximize, QUALITY.how, "")
    asked = drive(build(name, planted.space, objectives=(objective,)), planted, evaluations(name, 800))
    values = [planted.values(arch)["quality"] for arch in asked]
    draws = planted.space.sample_array(2000, np.random.default_rng(0)).tolist()
    by_chance = [planted.values(tuple(row))["quality"] for row in draws]
    late = np.mean(values[-len(values) // 4 :])
    assert late > np.quantile(by_chance, 0.95) if maximize else late < np.quantile(by_chance, 0.05)


@pytest.mark.parametrize("name", ADAPTIVE)
def test_an_adaptive_algorithm_finds_a_planted_optimum(name: str) -> None:
    space = flat_space(6)
    planted = Planted(space)
    best = max(map(tuple, space.array().tolist()), key=lambda arch: planted.values(arch)["quality"])
    seeds = range(8 if name not in FEWER else 4)
    found = [best in drive(build(name, space, seed, (QUALITY,)), planted, 240, until=best) for seed in seeds]
    # By chance each run has it with probability 240 / 729, seven of eight together with 0.3 %, all four with 1 %.
    assert sum(found) >= min(len(seeds), 7)


# --- bounds -----------------------------------------------------------------------------------------


@every_algorithm
@pytest.mark.parametrize("batch", [7, None], ids=["odd batches", "its own batches"])
def test_what_breaks_a_known_bound_is_never_asked_for(name: str, batch: int | None) -> None:
    planted = Planted(large_space())
    problem = bounded(planted, 0.3)
    algorithm = ALGORITHMS.create(name, QUICK.get(name), problem=problem, seed=2)
    # Told of what breaks it: results of an earlier search without bounds.
    rows = planted.space.sample_array(40, np.random.default_rng(1))
    assert not problem.feasible(rows).all()
    algorithm.tell(planted.measure([tuple(row) for row in rows.tolist()]))
    budget = evaluations(name, 250)
    asked = drive(algorithm, planted, budget, batch)
    assert len(set(asked)) == budget
    assert problem.feasible(np.array(asked, np.uint8)).all()


@every_algorithm
def test_a_small_space_with_a_bound_is_finished_exactly(name: str) -> None:
    planted = Planted(small_space())
    problem = bounded(planted, 0.5, 0.1)
    asked = drive(ALGORITHMS.create(name, QUICK.get(name), problem=problem, seed=0), planted, 1000)
    every = planted.space.array()
    assert sorted(asked) == [tuple(row) for row in every[problem.feasible(every)].tolist()]
    assert 0 < len(asked) < len(every)


@every_algorithm
@pytest.mark.parametrize("where", ["cheapest", "between"])
def test_few_architectures_of_a_huge_space_within_the_bounds_are_found(name: str, where: str) -> None:
    planted = Planted(flat_space(30))
    smallest = planted.values(planted.space.smallest)["cost"]
    if where == "cheapest":  # no draw among millions
        low, high = 0.0, smallest * 1.1
    else:  # about one draw in a thousand
        low, high = 36.0, 36.005
    problem = Problem(planted.space, BOTH, (Constraint("cost", low, high),), planted.counted)
    asked = drive(ALGORITHMS.create(name, QUICK.get(name), problem=problem, seed=0), planted, 16, 8)
    assert len(set(asked)) == 16
    assert problem.feasible(np.array(asked, np.uint8)).all()


@every_algorithm
@pytest.mark.parametrize("space", [small_space(), large_space(12)], ids=["listed", "huge"])
def test_bounds_that_nothing_keeps_are_one_plain_sentence(name: str, space: SearchSpace) -> None:
    planted = Planted(space)
    problem = Problem(space, BOTH, (Constraint("cost", upper=1e-3),), planted.counted)
    with pytest.raises(InvalidInput, match=r"has cost at most 0.001; the closest one has cost \d.*Widen"):
        ALGORITHMS.create(name, problem=problem, seed=0)


@every_algorithm
def test_replaying_the_log_continues_identically_under_bounds(name: str) -> None:
    planted = Planted(large_space(12))
    smallest = planted.values(planted.space.smallest)["cost"]
    limits = (Constraint("cost", upper=smallest * 1.6), Constraint("quality", lower=3.0))
    problem = Problem(planted.space, BOTH, limits, planted.counted)
    runs: list[list[list[Arch]]] = []
    for cut in (4, 2):
        algorithm = ALGORITHMS.create(name, QUICK.get(name), problem=problem, seed=5)
        runs.append([])
        for step in range(4):
            runs[-1].append(algorithm.ask(8 if name not in FEWER else 6))
            algorithm.tell(planted.measure(runs[-1][-1]))
            if step + 1 == cut < 4:
                algorithm = ALGORITHMS.create(name, QUICK.get(name), problem=problem, seed=5)
                for archs in runs[-1]:
                    algorithm.ask(len(archs))
                    algorithm.tell(planted.measure(archs))
    assert runs[0] == runs[1]


@pytest.mark.slow
@pytest.mark.parametrize("name", ADAPTIVE)
def test_a_bound_that_only_measuring_shows_is_kept_more_and_more(name: str) -> None:
    planted = Planted(flat_space())
    draws = planted.space.sample_array(2000, np.random.default_rng(0)).tolist()
    by_chance = [planted.values(tuple(row))["quality"] for row in draws]
    limit = float(np.quantile(by_chance, 0.95))
    # The objective alone leads away from the bound.
    problem = Problem(planted.space, (COST,), (Constraint("quality", lower=limit),))
    asked = drive(
        ALGORITHMS.create(name, QUICK.get(name), problem=problem, seed=1), planted, evaluations(name, 600)
    )
    keep = [planted.values(arch)["quality"] >= limit for arch in asked]
    assert np.mean(keep[-len(keep) // 3 :]) > 0.2  # 0.05 by chance
    kept = [planted.values(arch)["cost"] for arch, fits in zip(asked, keep, strict=True) if fits]
    # Who finds the cheapest early goes on with dearer ones: both halves are held to what drawing brings.
    as_many = [planted.values(tuple(row)) for row in draws[: len(asked)]]
    drawn = [values["cost"] for values in as_many if values["quality"] >= limit]
    assert np.mean(kept[len(kept) // 2 :]) < np.mean(drawn)
    assert min(kept) < min(drawn)


def test_listing_the_algorithms_imports_none() -> None:
    code = (
        "import sys; from core.search import ALGORITHMS; assert len(ALGORITHMS.describe()) >= 3; "
        "assert not {'pymoo', 'torch', 'core.search.nsga2'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
