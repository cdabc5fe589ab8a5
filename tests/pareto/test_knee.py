"""Knees on fronts whose answer follows from a line of algebra."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.pareto import knee_by_distance, knee_by_utility

BOTH = pytest.mark.parametrize("knee", [knee_by_distance, knee_by_utility])
DOWN = [False, False]


def kinked(x, y, n=20):
    """Straight from (0, 1) to (x, y) and on to (1, 0); row n is the kink."""
    t = np.linspace(0, 1, n + 1)[:, None]
    first = (1 - t) * [0, 1] + t * [x, y]
    second = (1 - t) * [x, y] + t * [1, 0]
    return np.vstack([first, second[1:]])


def mean_loss(front, weights):
    """Expected marginal utility of each point, one weighting at a time, from the definition."""
    result = np.zeros(len(front))
    for weight in weights:
        costs = front @ weight
        best = int(costs.argmin())
        result[best] += np.delete(costs, best).min() - costs[best]
    return result / len(weights)


@BOTH
@pytest.mark.parametrize("kink", [(0.2, 0.2), (0.1, 0.4), (0.6, 0.05)])
def test_a_kink_is_the_knee(knee, kink):
    assert knee(kinked(*kink), maximize=DOWN) == 20


@BOTH
@pytest.mark.parametrize("order", [0, 1])
def test_row_order_units_direction_and_dominated_rows_do_not_matter(knee, order, frozen):
    costs = np.vstack([kinked(0.1, 0.4), [[0.9, 0.9], [np.nan, 0.0], [0.5, np.inf]]])
    rows = np.random.default_rng(order).permutation(len(costs))
    # A million times the accuracy-like second objective, turned around; the first shifted.
    points = frozen(costs[rows] * [0.25, -1e6] + [7.0, 0.0])
    assert rows[knee(points, maximize=[False, True])] == 20


@pytest.mark.parametrize("power", [2, 3, 4])
def test_distance_on_a_power_curve(power):
    # y = (1 - x)^p is farthest from the chord where its slope is -1: x = 1 - p^(-1 / (p - 1)).
    x = np.linspace(0, 1, 2001)
    found = knee_by_distance(np.column_stack([x, (1 - x) ** power]), maximize=DOWN)
    assert found is not None
    assert x[found] == pytest.approx(1 - power ** (-1 / (power - 1)), abs=5e-4)


@BOTH
def test_three_objectives_with_the_knee_in_the_middle(knee):
    # The simplex squared bends towards the ideal; by symmetry its knee is the center.
    steps = np.array([(i, j, 6 - i - j) for i in range(7) for j in range(7 - i)]) / 6
    found = knee(steps**2, maximize=[False] * 3)
    assert found is not None
    np.testing.assert_allclose(steps[found], 1 / 3)


@BOTH
def test_equally_good_corners_are_all_extremes(knee):
    # Two corners tie as the best of each objective; neither of them is a knee.
    points = np.vstack([np.eye(3), [[0.3, 0.3, 0.2], [0.25, 0.25, 0.25]]])
    assert knee(points, maximize=[False] * 3) == 4


@BOTH
def test_objectives_that_share_their_best_point_still_have_a_knee(knee):
    # MACs and params: the smallest net is best in both, so three objectives have two extremes.
    two = kinked(0.2, 0.1)
    assert knee(np.column_stack([two[:, 0], two[:, 0], two[:, 1]]), maximize=[False] * 3) == 20


@BOTH
def test_an_objective_that_is_constant_on_the_front_is_left_out(knee):
    two = kinked(0.2, 0.3)
    assert knee(np.insert(two, 1, 5.0, axis=1), maximize=[False, True, False]) == 20


@BOTH
@pytest.mark.parametrize(
    "points",
    [
        np.empty((0, 2)),
        [[1.0, 1.0]],
        [[0.0, 1.0], [1.0, 0.0]],
        [[0.0, 1.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]],
        [[0.0, 0.0], [1.0, 2.0], [2.0, 1.0]],
        [[np.nan, 0.0], [np.inf, -np.inf], [0.0, 1.0], [1.0, 0.0]],
        np.column_stack([np.linspace(0, 1, 11), 1 - np.linspace(0, 1, 11)]),
        np.column_stack([np.sin(np.linspace(0, np.pi / 2, 11)), np.cos(np.linspace(0, np.pi / 2, 11))]),
    ],
    ids=["empty", "one", "two", "copies", "one_best", "unfinished", "straight", "concave"],
)
def test_no_knee(knee, points):
    assert knee(points, maximize=DOWN) is None


@BOTH
@pytest.mark.parametrize("m", [1, 3, 4])
def test_no_knee_without_a_trade_off(knee, m):
    assert knee(np.empty((0, m)), maximize=[True] * m) is None
    assert knee(np.arange(5.0 * m).reshape(5, m), maximize=[True] * m) is None


def test_no_chord_that_counts_every_objective():
    # The plane through the three best points is x + y - 4 z = 0.6: it would reward a worse third
    # objective, so "beyond it" means nothing.
    points = [[0, 1, 0.1], [1, 0, 0.1], [0.3, 0.3, 0], [0.05, 0.6, 1.0]]
    assert knee_by_distance(points, maximize=[False] * 3) is None


@BOTH
def test_of_copies_the_first_is_returned(knee):
    assert knee([[0, 10], [1, 2], [1, 2], [4, 1], [9, 0]], maximize=DOWN) == 1


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), m=st.integers(2, 4))
def test_utility_knee_matches_the_definition_over_sampled_weightings(seed, m):
    rng = np.random.default_rng(seed)
    # Points of a bent front, its corners included, so that scaling changes nothing.
    shares = np.vstack([np.eye(m), rng.dirichlet(np.ones(m), size=4)])
    front = shares ** rng.uniform(1.5, 3)
    losses = mean_loss(front, rng.dirichlet(np.ones(m), size=4000))
    losses[:m] = 0
    found = knee_by_utility(front, maximize=[False] * m)
    # Sampling noise of the 4,000 weightings decides near-ties, so ask for nearly the largest loss.
    assert found is not None
    assert found >= m
    assert losses[found] >= 0.8 * losses.max()


def test_utility_of_three_points_decides_as_the_integral_does():
    # The loss of the middle point (a, b) is the triangle between the lines of its neighbors;
    # dropping (.1, .5) costs 0.0222..., dropping (.5, .1) costs the same: the first of ties wins.
    assert knee_by_utility([[0, 1], [0.1, 0.5], [0.5, 0.1], [1, 0]], maximize=DOWN) == 1
    assert knee_by_utility([[0, 1], [0.1, 0.5], [0.5, 0.05], [1, 0]], maximize=DOWN) == 2


def test_the_definitions_can_disagree():
    # Two close points share the far side of the chord: each makes the other dispensable.
    points = [[0, 1], [0.10, 0.30], [0.12, 0.27], [0.5, 0.05], [1, 0]]
    assert knee_by_distance(points, maximize=DOWN) == 2
    assert knee_by_utility(points, maximize=DOWN) == 3


@BOTH
def test_wrong_shapes_are_refused(knee):
    with pytest.raises(ValueError, match="points must be"):
        knee([1.0, 2.0], maximize=DOWN)
    with pytest.raises(ValueError, match="points must be"):
        knee([[1.0, 2.0]], maximize=[True])
