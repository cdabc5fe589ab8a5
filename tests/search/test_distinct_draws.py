"""Draws without repeats, from first to last."""

from __future__ import annotations

import numpy as np
import pytest

from core.search import ALGORITHMS, Problem
from core.search.distinct import DistinctDraws
from core.spaces import Choice, SearchSpace
from tests.helpers.planted import COST, large_space, small_space


def nested(depth: int) -> SearchSpace:
    """A space most of which uniform draws hardly ever reach: every level needs the one before."""
    choices = [Choice("level0", (0, 1))]
    choices += [Choice(f"level{i}", (0, 1), requires=(f"level{i - 1}", (1,))) for i in range(1, depth)]
    return SearchSpace([*choices, Choice("last", (0, 1, 2), requires=(f"level{depth - 1}", (1,)))])


@pytest.mark.parametrize("space", [small_space(), nested(18)], ids=["small", "nested"])
@pytest.mark.parametrize("n", [1, 7, 1000])
def test_every_architecture_comes_exactly_once(space: SearchSpace, n: int) -> None:
    draws, drawn = DistinctDraws(Problem(space, (COST,)), np.random.default_rng(0)), []
    while found := draws.draw(n):
        assert len(found) == min(n, space.size - len(drawn))
        drawn += found
    assert sorted(drawn) == [tuple(row) for row in space.array().tolist()]
    assert draws.exhausted
    assert len(draws) == space.size


def test_what_was_taken_is_not_drawn() -> None:
    space = small_space()
    first = space.canonical([0] * len(space))
    draws = DistinctDraws(Problem(space, (COST,)), np.random.default_rng(0))
    assert draws.take(first)
    assert not draws.take(first)
    assert first in draws
    assert first not in draws.draw(space.size)


def test_each_option_of_each_choice_is_equally_likely() -> None:
    space = large_space(3)
    first = [
        ALGORITHMS.create("random_search", problem=Problem(space, (COST,)), seed=seed).ask(1)[0][
            space.position["kernel0"]
        ]
        for seed in range(600)
    ]
    counts = np.bincount(first, minlength=3)
    # Three standard deviations of a binomial(600, 1/3) are 35.
    assert (abs(counts - 200) < 45).all()


def test_exhaustive_goes_in_prefix_order_through_spaces_of_any_size() -> None:
    space = small_space()
    assert ALGORITHMS.create("exhaustive", problem=Problem(space, (COST,)), seed=0).ask(space.size) == list(
        map(tuple, space.array().tolist())
    )
    huge = large_space(35)  # about 10^33
    assert ALGORITHMS.create("exhaustive", problem=Problem(huge, (COST,)), seed=0).ask(3)[0] == huge.smallest
