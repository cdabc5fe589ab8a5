"""The benchmark of searches: what its numbers mean, and that a kept cell is not searched again."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import search as benchmark
from benchmarks.search import Cell, Ends, Scale
from benchmarks.search_spaces import Additive, Bench, walked_seconds
from core.pareto import hypervolume, non_dominated
from core.search import Problem
from core.spaces import Archs
from tests.helpers.planted import COST, QUALITY, Planted, flat_space

PLANTED = Planted(flat_space(6))
ROWS = PLANTED.space.array()


def second(archs: Archs) -> np.ndarray:
    return np.ones(len(archs))


WORK = Additive(list(range(6)), [second] * 6)


def planted_bench() -> Bench:
    problem = Problem(PLANTED.space, (QUALITY, COST), counted=PLANTED.counted, work=WORK)
    values = [PLANTED.values(tuple(row)) for row in ROWS.tolist()]
    whole = np.array([[v["quality"], v["cost"]] for v in values])
    return Bench("planted", problem, PLANTED.measure, whole, modeled=True)


def test_modeled_seconds_count_every_prefix_once() -> None:
    assert walked_seconds(WORK, ROWS[:1]) == 6
    assert walked_seconds(WORK, ROWS[:3]) == 5 + 3  # three endings of one beginning
    assert walked_seconds(WORK, ROWS) == sum(3**level for level in range(1, 7))
    assert planted_bench().exhaustive_seconds() == walked_seconds(WORK, ROWS)


def test_shares_are_of_the_exact_front_and_by_batches_that_ended() -> None:
    space = planted_bench()
    assert space.whole is not None
    scale = Scale([True, False], space.whole)
    assert scale.share(space.whole) == pytest.approx(1)
    assert scale.front_size == non_dominated(space.whole, maximize=[True, False]).sum()
    some = space.whole[np.random.default_rng(0).permutation(len(space.whole))[:40]]
    cell = Cell(some, np.array([10, 40]), np.array([1.0, 2.0]), 0.1)
    curve = scale.curve(cell)
    ten = hypervolume(some[:10], scale.reference, maximize=[True, False])
    whole = hypervolume(space.whole, scale.reference, maximize=[True, False])
    assert benchmark.at_evaluations(curve, 10) == pytest.approx(ten / whole)
    assert np.isnan(benchmark.at_evaluations(curve, 41))
    assert [benchmark.at_seconds(curve, cell, s) for s in (0.5, 1.5, 9.0)] == [0.0, curve[9], curve[-1]]
    assert benchmark.seconds_to(curve, cell, curve[9]) == 1.0
    assert benchmark.seconds_to(curve, cell, curve[9] + 1e-9) == 2.0
    assert benchmark.seconds_to(curve, cell, 1.0) == np.inf


def test_a_kept_cell_is_not_searched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = argparse.Namespace(
        budget=60, until=0.0, seeds=2, algorithms="random_search,nsga2:population=10", cells=tmp_path
    )
    space = planted_bench()
    first = benchmark.cells_of(space, asked, space.exhaustive_seconds())
    assert {name: len(cells) for name, cells in first.items()} == {
        "random_search": 2,
        "nsga2:population=10": 2,
    }
    assert all(len(cell.values) >= 60 for cells in first.values() for cell in cells)
    searched: list[Any] = []
    real = benchmark.searched
    monkeypatch.setattr(benchmark, "searched", lambda *a: searched.append(a[0]) or real(*a))
    again = benchmark.cells_of(space, asked, space.exhaustive_seconds())
    assert not searched
    np.testing.assert_array_equal(again["random_search"][0].values, first["random_search"][0].values)
    # One that was cut off, and a further algorithm: they alone are searched.
    next(tmp_path.glob("*random_search-1.json")).write_text('{"budget"')
    asked.algorithms += ",local_search"
    benchmark.cells_of(space, asked, space.exhaustive_seconds())
    assert searched == ["local_search", "random_search", "local_search"]
    lines, sooner = benchmark.table(space, first, 100.0)
    assert lines[0] == "## planted"
    assert len([line for line in lines if line.startswith("| nsga2")]) == 1
    assert set(sooner) == set(first)


def test_a_cell_goes_on_until_its_share_is_reached() -> None:
    space = planted_bench()
    assert space.whole is not None
    scale = Scale([True, False], space.whole)
    short = benchmark.searched("nsga2", space, 0, Ends(50, 0.0, 0.0), scale)
    longer = benchmark.searched("nsga2", space, 0, Ends(50, 0.0, 0.99), scale)
    assert len(short.values) == 50
    assert scale.share(short.values) < 0.99 <= scale.share(longer.values)
    np.testing.assert_array_equal(longer.values[:50], short.values)
