"""Samples spread over a cost, from spaces of any size."""

from __future__ import annotations

import numpy as np
import pytest

from core.seeding import stream
from core.spaces import Choice, SearchSpace
from core.spaces.spread import candidates, spread_rows
from tests.helpers.planted import large_space, small_space

HUGE = SearchSpace([Choice(f"width{i}", (2, 4, 8)) for i in range(60)])


def weight(rows: np.ndarray) -> np.ndarray:
    return rows.sum(axis=1).astype(float)


@pytest.mark.parametrize("space", [large_space(), HUGE], ids=["10^8", "10^28"])
def test_a_sample_has_the_ends_and_every_part_of_the_range(space: SearchSpace) -> None:
    rows = spread_rows(space, 100, stream(0, "x"), weight)
    assert rows.shape == (100, len(space))
    assert len(np.unique(rows, axis=0)) == 100
    assert (space.canonicalize(rows) == rows).all()
    costs = weight(rows)
    smallest, largest = weight(np.array([space.smallest, space.largest]))
    assert (costs.min(), costs.max()) == (smallest, largest)
    counts, _ = np.histogram(costs, 10)
    assert counts.min() >= 5, "uniform draws leave both ends empty"
    assert [tuple(row) for row in rows.tolist()] == sorted(map(tuple, rows.tolist())), "prefix order"


def test_the_seed_decides_and_nothing_else() -> None:
    one, same, other = (spread_rows(HUGE, 50, stream(seed, "x"), weight) for seed in (1, 1, 2))
    assert (one == same).all()
    assert not (one == other).all()


def test_a_small_space_gives_all_it_has() -> None:
    space = small_space()
    assert (spread_rows(space, 1000, stream(0, "x"), weight) == space.array()).all()
    few = spread_rows(space, 5, stream(0, "x"), weight)
    assert len(np.unique(few, axis=0)) == 5
    assert (candidates(space, 10**6, stream(0, "x")) == space.array()).all()


def test_one_cost_for_all_is_a_sample_as_well() -> None:
    rows = spread_rows(HUGE, 30, stream(0, "x"), lambda archs: np.zeros(len(archs)))
    assert len(np.unique(rows, axis=0)) == 30
