"""EEEA: the first generation keeps the bound, and what was drawn in vain is told."""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import InvalidInput
from core.search import ALGORITHMS, Problem
from core.search.eeea import EEEA
from core.spaces import Archs
from tests.helpers.planted import COST, QUALITY, Planted, flat_space, large_space

SPACE = large_space()


def params(rows: Archs) -> dict[str, np.ndarray]:
    """Each choice that matters costs one more than its option's number."""
    return {"params": ((rows.astype(float) + 1) * SPACE.active(rows)).sum(axis=1)}


def build(seed: int = 0, **settings: object) -> EEEA:
    problem = Problem(SPACE, (QUALITY, COST), counted=params)
    made = ALGORITHMS.create("eeea", settings, problem=problem, seed=seed)
    assert isinstance(made, EEEA)
    return made


def costs(archs: list[tuple[int, ...]]) -> np.ndarray:
    return params(np.array(archs, np.uint8))["params"]


@pytest.mark.parametrize("initial", ["random", "extremes"])
def test_the_whole_first_generation_keeps_the_bound_and_its_children_need_not(initial: str) -> None:
    algorithm, planted = build(bound=25, initial=initial), Planted(SPACE)
    first = algorithm.ask(50)
    assert len(first) == 50
    assert costs(first).max() <= 25
    assert algorithm.rejected > 0
    assert f"{algorithm.rejected:,} random architectures with more than 25 params" in algorithm.remarks[0]
    for _ in range(4):
        algorithm.tell(planted.measure(first))
        first = algorithm.ask(50)
    assert costs(first).max() > 25


def test_a_bound_that_nothing_exceeds_changes_nothing() -> None:
    free, wide = build(bound=1e12, seed=3), build(bound=2e12, seed=3)
    assert free.ask(50) == wide.ask(50)
    assert free.rejected == 0
    drawn = costs(build(bound=1e12, population=2000, seed=1).ask(2000))
    plain = costs(ALGORITHMS.create("random_search", problem=free.problem, seed=2).ask(2000))
    assert np.allclose(np.quantile(drawn, [0.1, 0.5, 0.9]), np.quantile(plain, [0.1, 0.5, 0.9]), atol=1.5)


def test_without_a_bound_of_ones_own_it_is_what_half_of_random_ones_have() -> None:
    algorithm = build()
    plain = params(SPACE.sample_array(4000, np.random.default_rng(0)))["params"]
    assert 0.4 < (plain <= algorithm.bound).mean() < 0.6
    assert costs(algorithm.ask(50)).max() <= algorithm.bound
    assert 10 < algorithm.rejected < 200


def test_a_bound_below_the_smallest_is_refused_at_once_and_a_rare_one_is_met() -> None:
    smallest = float(params(np.array([SPACE.smallest], np.uint8))["params"][0])
    with pytest.raises(InvalidInput, match=r"has params at most .*; the closest one has"):
        build(bound=smallest - 1)
    found = build(bound=smallest + 1, population=4).ask(4)
    assert costs(found).max() <= smallest + 1
    assert len(set(found)) == 4


def test_a_bound_on_what_is_not_counted_is_refused() -> None:
    problem = Problem(flat_space(), (QUALITY,))
    with pytest.raises(InvalidInput, match="leave bound empty"):
        ALGORITHMS.create("eeea", {"bound": 5}, problem=problem, seed=0)
    made = ALGORITHMS.create("eeea", problem=problem, seed=0)
    assert len(made.ask(50)) == 50
    assert made.remarks == ()


def test_an_inversion_swaps_two_neighbors_of_equal_options(monkeypatch: pytest.MonkeyPatch) -> None:
    algorithm = build(inversion_rate=1)
    assert 0 not in algorithm._swappable  # a depth and a kernel have nothing to swap
    parent = (8, 0, 1, 2, 2, *(0,) * 16)
    algorithm._parents, algorithm._swappable = [parent], [2]
    monkeypatch.setattr(type(SPACE), "mutate", lambda self, arch, rng, rate: arch)
    assert algorithm._child(0, None) == (8, 0, 2, 1, 2, *(0,) * 16)
