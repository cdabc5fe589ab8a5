"""NSGA-II: better than chance, and its parts against their definitions."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.pareto import hypervolume, non_dominated
from core.records import Measurement
from core.search import ALGORITHMS, Problem
from core.search.base import cost_array
from core.search.evolution import finite as made_finite
from core.search.nsga2 import NSGA2
from core.spaces import Arch, Choice, SearchSpace
from core.spaces.cell_string import cell_space
from tests.helpers.planted import COST, QUALITY, Planted, large_space, small_space

BOTH = (QUALITY, COST)


def searched(name: str, planted: Planted, seed: int, budget: int, **config: object) -> np.ndarray:
    """(budget, 2) quality and cost of everything a search measured."""
    algorithm = ALGORITHMS.create(name, config, problem=Problem(planted.space, BOTH), seed=seed)
    values: list[list[float]] = []
    while len(values) < budget:
        measured = planted.measure(algorithm.ask(min(50, budget - len(values))))
        algorithm.tell(measured)
        values += [[m.values["quality"], m.values["cost"]] for m in measured]
    return np.array(values)


@pytest.mark.slow
@pytest.mark.parametrize("initial", ["extremes", "random"])
def test_beats_random_search_on_a_large_space_with_every_seed(initial: str) -> None:
    planted = Planted(large_space())
    assert planted.space.size > 10**6

    def volumes(name: str, **config: object) -> list[float]:
        points = [searched(name, planted, seed, 1000, **config) for seed in range(6)]
        return [hypervolume(p, planted.reference, maximize=[True, False]) for p in points]

    evolved, drawn = volumes("nsga2", initial=initial), volumes("random_search")
    # Complete separation of 6 against 6 happens by chance once in 924.
    assert min(evolved) > max(drawn)
    assert np.mean(evolved) - np.mean(drawn) > 5 * np.hypot(np.std(evolved), np.std(drawn)) / np.sqrt(6)


@pytest.mark.parametrize(("setting", "points"), [(1, 1), (3, 3), (0, None)])
def test_children_are_cut_as_often_as_asked(
    setting: int, points: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int | None] = []
    real = SearchSpace.crossover

    def watched(self: SearchSpace, *parents: Any, points: int | None) -> Arch:
        seen.append(points)
        child = real(self, *parents, points=points)
        if points == 1:
            a, b = parents[:2]
            assert child in {
                self.canonical((*x[:k], *y[k:])) for x, y in ((a, b), (b, a)) for k in range(len(a) + 1)
            }
        return child

    monkeypatch.setattr(SearchSpace, "crossover", watched)
    searched("nsga2", Planted(large_space()), 0, 200, crossover_points=setting)
    assert len(seen) > 50
    assert set(seen) == {points}


def test_one_cut_and_free_mixing_are_about_equally_good() -> None:
    planted = Planted(large_space())

    def mean_volume(points: int) -> float:
        runs = [searched("nsga2", planted, seed, 500, crossover_points=points) for seed in range(4)]
        return float(np.mean([hypervolume(r, planted.reference, maximize=[True, False]) for r in runs]))

    assert mean_volume(1) == pytest.approx(mean_volume(0), rel=0.1)


def test_the_first_generation_has_both_ends_of_the_space() -> None:
    space = large_space()
    assert ALGORITHMS.create("nsga2", problem=Problem(space, BOTH), seed=0).ask(50)[:2] == [
        space.smallest,
        space.largest,
    ]
    drawn = ALGORITHMS.create("nsga2", {"initial": "random"}, problem=Problem(space, BOTH), seed=0).ask(50)
    assert not {space.smallest, space.largest} & set(drawn)


def test_starts_from_no_cell_that_computes_nothing() -> None:
    cells = cell_space()
    first = ALGORITHMS.create("nsga2", problem=Problem(cells, BOTH), seed=0).ask(2)
    assert first == [cells.smallest, cells.largest]
    assert all(cells.computes(arch) for arch in first)
    assert not cells.computes((0,) * 6)


def test_starts_at_random_where_nothing_is_smallest() -> None:
    space = SearchSpace([Choice(f"edge{i}", ("none", "skip", "conv"), ordinal=False) for i in range(4)])
    assert len(set(ALGORITHMS.create("nsga2", problem=Problem(space, BOTH), seed=0).ask(10))) == 10


def test_a_generation_is_the_population() -> None:
    assert (
        ALGORITHMS.create(
            "nsga2", {"population": 12}, problem=Problem(large_space(), BOTH), seed=0
        ).batch_size
        == 12
    )


@settings(deadline=None)
@given(
    costs=arrays(float, st.tuples(st.integers(1, 30), st.just(2)), elements=st.integers(0, 5).map(float)),
    size=st.integers(2, 12),
)
def test_survivors_are_the_least_dominated(costs: np.ndarray, size: int) -> None:
    space = large_space()
    archs = _distinct(space.sample_array(200, np.random.default_rng(0)), len(costs))
    algorithm = NSGA2(NSGA2.Config(**{"population": size}), problem=Problem(space, BOTH), seed=0)
    algorithm.tell(
        [
            Measurement(arch, {"quality": -c[0], "cost": c[1]})
            for arch, c in zip(archs, costs.tolist(), strict=True)
        ]
    )
    algorithm._survive()
    kept = algorithm._costs
    assert len(kept) == min(size, len(costs))
    # Whole layers first: nothing dropped may lie in an earlier layer than something kept.
    layer, rest, of_cost = 0, costs, {}
    while len(rest):
        front = non_dominated(rest, maximize=[False, False])
        of_cost |= {tuple(c): layer for c in rest[front].tolist()}
        rest, layer = rest[~front], layer + 1
    layers = sorted(of_cost[tuple(c)] for c in costs.tolist())
    assert sorted(of_cost[tuple(c)] for c in kept.tolist()) == layers[: len(kept)]


def test_the_crowded_comparison_prefers_low_rank_then_room() -> None:
    algorithm = NSGA2(problem=Problem(small_space(), BOTH), seed=0)
    algorithm._ranks = np.array([0, 1, 0, 0])
    algorithm._crowding = np.array([1.0, np.inf, np.inf, np.inf])
    pairs = np.array([[0, 1], [1, 0], [0, 2], [2, 0]] + [[2, 3]] * 200)
    winners = algorithm._winners(None, pairs, np.random.default_rng(0))[:, 0]
    assert winners[:4].tolist() == [0, 0, 2, 2]
    assert 60 < (winners[4:] == 2).sum() < 140  # equals are decided by chance


odd = st.sampled_from([0.0, 1.0, 2.5, -1e300, 1e300, np.inf, -np.inf, np.nan])


@settings(deadline=None)
@given(arrays(float, st.tuples(st.integers(1, 12), st.integers(1, 3)), elements=odd))
def test_odd_costs_become_finite_in_the_same_order(costs: np.ndarray) -> None:
    before = costs.copy()
    result = made_finite(costs)
    np.testing.assert_array_equal(costs, before)
    assert np.isfinite(result).all()
    unknown = np.isnan(costs).any(axis=1)
    for column, finite in zip(costs[~unknown].T, result[~unknown].T, strict=True):
        np.testing.assert_array_equal(column[:, None] < column, finite[:, None] < finite)
    if unknown.any() and not unknown.all():
        assert (result[unknown].min(axis=0) > result[~unknown].max(axis=0)).all()


def test_costs_are_smaller_for_better_values_and_unknown_where_nothing_was_measured() -> None:
    measured = [Measurement((0,), {"quality": 2.0, "cost": 3.0}), Measurement((1,), {"cost": 4.0})]
    np.testing.assert_array_equal(cost_array(measured, BOTH), [[-2.0, 3.0], [np.nan, 4.0]])
    assert cost_array([], BOTH).shape == (0, 2)


def test_a_failed_measurement_is_no_parent_while_there_are_good_ones() -> None:
    planted = Planted(large_space())
    algorithm = NSGA2(NSGA2.Config(**{"population": 10}), problem=Problem(planted.space, BOTH), seed=0)
    first = planted.measure(algorithm.ask(10))
    second = [Measurement(arch, {"quality": float("nan"), "cost": -1e9}) for arch in algorithm.ask(10)]
    algorithm.tell(second)
    algorithm.tell(first)
    algorithm.ask(1)
    assert set(algorithm._parents) == {m.arch for m in first}


@pytest.mark.parametrize(
    ("space", "config", "seed", "proposals"),
    [
        (large_space(), {}, 3, "2e398ff7dec6a5ca"),
        (small_space(), {"population": 6}, 1, "66ce9b78a0802c79"),
    ],
    ids=["large", "small"],
)
def test_a_search_that_an_earlier_release_began_goes_on(
    space: SearchSpace, config: dict[str, Any], seed: int, proposals: str
) -> None:
    planted, asked = Planted(space), list[Arch]()
    algorithm = ALGORITHMS.create("nsga2", config, problem=Problem(space, BOTH), seed=seed)
    while len(asked) < 400 and (archs := algorithm.ask(min(algorithm.batch_size, 400 - len(asked)))):
        algorithm.tell(planted.measure(archs))
        asked += archs
    assert hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:16] == proposals


def test_costs_less_than_a_fifth_of_a_millisecond_per_evaluation() -> None:
    planted = Planted(large_space(22))  # 45 choices
    algorithm = ALGORITHMS.create("nsga2", problem=Problem(planted.space, BOTH), seed=0)
    measured = planted.measure(algorithm.ask(50))
    spent = []
    for _ in range(12):
        start = time.process_time()
        algorithm.tell(measured)
        archs = algorithm.ask(50)
        spent.append(time.process_time() - start)
        measured = planted.measure(archs)
    assert np.median(spent) / 50 < 0.2e-3


def test_importing_it_prints_nothing_and_warns_of_nothing() -> None:
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", "import core.search.nsga2"], capture_output=True, check=True
    )
    assert result.stdout == result.stderr == b""


def _distinct(rows: np.ndarray, n: int) -> list[Arch]:
    return list(dict.fromkeys(map(tuple, rows.tolist())))[:n]
