"""Hypervolume against counting unit cells, against a numpy staircase, and against itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.pareto import (
    exclusive_contributions,
    hypervolume,
    hypervolume_over_time,
    non_dominated,
    reference_point,
)

INF, NAN = np.inf, np.nan
SIDE = 4


@st.composite
def grids(draw, max_rows=12, max_objectives=4):
    """Integer points of both sides of a reference at 0, where larger is better; some NaN rows."""
    m = draw(st.integers(1, max_objectives))
    n = draw(st.integers(0, max_rows))
    values = st.sampled_from([-1.0, 0.0, 1.0, 2.0, 3.0, float(SIDE), NAN])
    points = draw(arrays(float, (n, m), elements=values))
    flags = draw(st.lists(st.booleans(), min_size=m, max_size=m))
    signed = points * np.where(flags, 1, -1)
    signed.flags.writeable = False
    return points, signed, flags


def cells(points):
    """Number of unit cells of [0, SIDE]^m below some complete point (larger is better)."""
    m = points.shape[1]
    corners = np.stack(np.meshgrid(*[np.arange(SIDE)] * m, indexing="ij"), axis=-1).reshape(-1, m) + 1
    complete = points[~np.isnan(points).any(axis=1)]
    return int((corners[:, None, :] <= complete[None]).all(axis=2).any(axis=1).sum())


def staircase_area(points, reference):
    """2-D hypervolume of costs in numpy alone: sort by x, keep falling y, add rectangles."""
    inside = points[(points < reference).all(axis=1)]
    inside = inside[np.lexsort((inside[:, 1], inside[:, 0]))]
    lowest = np.minimum.accumulate(np.append(reference[1], inside[:, 1]))
    return float(((reference[0] - inside[:, 0]) * -np.diff(lowest)).sum())


@given(grid=grids())
def test_volume_counts_the_cells(grid):
    points, signed, maximize = grid
    assert hypervolume(signed, np.zeros(len(maximize)), maximize=maximize) == cells(points)


@settings(max_examples=60)
@given(grid=grids(max_rows=9))
def test_contribution_is_what_dropping_the_row_loses(grid):
    points, signed, maximize = grid
    expected = [cells(points) - cells(np.delete(points, i, axis=0)) for i in range(len(points))]
    result = exclusive_contributions(signed, np.zeros(len(maximize)), maximize=maximize)
    np.testing.assert_allclose(result, expected, atol=1e-12)


@given(table=arrays(float, st.tuples(st.integers(1, 12), st.integers(1, 4)), elements=st.floats(0, 1)))
def test_rounding_makes_no_contribution_negative(table):
    m = table.shape[1]
    assert (exclusive_contributions(table.round(1), [1.1] * m, maximize=[False] * m) >= 0).all()


@settings(max_examples=60)
@given(grid=grids(max_rows=9))
def test_volume_over_time_is_the_volume_of_every_prefix(grid):
    points, signed, maximize = grid
    expected = [cells(points[: i + 1]) for i in range(len(points))]
    result = hypervolume_over_time(signed, np.zeros(len(maximize)), maximize=maximize)
    np.testing.assert_allclose(result, expected, atol=1e-12)


@pytest.mark.parametrize("n", [1, 10, 1000])
@pytest.mark.parametrize("maximize", [(False, False), (True, False), (False, True), (True, True)])
def test_two_objectives_match_the_numpy_staircase(n, maximize):
    costs = np.random.default_rng(n).normal(size=(n, 2))
    reference = np.array([1.0, 1.5])
    signs = np.where(maximize, -1, 1)
    result = hypervolume(costs * signs, reference * signs, maximize=maximize)
    assert result == pytest.approx(staircase_area(costs, reference), rel=1e-12)


@pytest.mark.parametrize("m", [2, 3, 4])
def test_long_curves_end_at_the_volume_and_never_fall(m):
    rng = np.random.default_rng(m)
    points = rng.random((600, m))
    reference = np.full(m, 0.9)
    curve = hypervolume_over_time(points, reference, maximize=[False] * m)
    assert (np.diff(curve) >= 0).all()
    for i in (0, 5, 50, 599):
        expected = hypervolume(points[: i + 1], reference, maximize=[False] * m)
        assert curve[i] == pytest.approx(expected, rel=1e-12)


def test_a_curve_of_front_points_only():
    # Every point enters and none leaves, the longest staircase there is.
    x = np.random.default_rng(0).permutation(2000) / 2000
    points = np.column_stack([x, 1 - x])
    curve = hypervolume_over_time(points, [1.1, 1.1], maximize=[False, False])
    assert curve[-1] == pytest.approx(staircase_area(points, np.array([1.1, 1.1])), rel=1e-10)


def test_known_values():
    square = [[2.0, 1.0], [1.0, 2.0]]
    assert hypervolume(square, [0, 0], maximize=[True, True]) == 3
    np.testing.assert_array_equal(exclusive_contributions(square, [0, 0], maximize=[True, True]), [1, 1])
    assert hypervolume([[3.0]], [1.0], maximize=[True]) == 2
    np.testing.assert_array_equal(exclusive_contributions([[3.0], [2.5]], [1.0], maximize=[True]), [0.5, 0])


def test_a_dominated_neighbor_lowers_the_exclusive_contribution():
    result = exclusive_contributions([[3.0, 3.0], [2.0, 2.0]], [0, 0], maximize=[True, True])
    np.testing.assert_array_equal(result, [5, 0])


def test_copies_hold_nothing_alone():
    result = exclusive_contributions([[1.0, 1.0], [1.0, 1.0]], [0, 0], maximize=[True, True])
    np.testing.assert_array_equal(result, [0, 0])


@pytest.mark.parametrize("m", [1, 2, 3, 4, 5])
def test_contributions_match_dropping_rows_of_random_sets(m):
    points = np.random.default_rng(m).random((40, m))
    flags, reference = [True] * m, np.full(m, 0.05)
    whole = hypervolume(points, reference, maximize=flags)
    expected = [
        whole - hypervolume(np.delete(points, i, axis=0), reference, maximize=flags) for i in range(40)
    ]
    result = exclusive_contributions(points, reference, maximize=flags)
    np.testing.assert_allclose(result, expected, atol=1e-12)


@pytest.mark.parametrize("m", [1, 2, 3, 4])
def test_infinitely_good_points(m):
    points = np.ones((3, m))
    points[1, 0] = INF
    flags, reference = [True] * m, np.zeros(m)
    assert hypervolume(points, reference, maximize=flags) == INF
    np.testing.assert_array_equal(hypervolume_over_time(points, reference, maximize=flags), [1, INF, INF])
    with pytest.raises(ValueError, match="infinite"):
        exclusive_contributions(points, reference, maximize=flags)


@pytest.mark.parametrize("m", [1, 2, 3, 4])
def test_infinitely_bad_points_add_nothing(m):
    points = np.ones((2, m))
    points[1, 0] = -INF
    flags, reference = [True] * m, np.zeros(m)
    assert hypervolume(points, reference, maximize=flags) == 1
    np.testing.assert_array_equal(exclusive_contributions(points, reference, maximize=flags), [1, 0])


@pytest.mark.parametrize("m", [1, 2, 3, 4])
def test_empty_sets_and_points_on_the_reference(m, frozen):
    flags, reference = [True] * m, frozen(np.zeros(m))
    empty, on_it = frozen(np.empty((0, m))), frozen(np.zeros((2, m)))
    assert hypervolume(empty, reference, maximize=flags) == 0
    assert hypervolume(on_it, reference, maximize=flags) == 0
    for function in (exclusive_contributions, hypervolume_over_time):
        assert function(empty, reference, maximize=flags).shape == (0,)
        np.testing.assert_array_equal(function(on_it, reference, maximize=flags), [0, 0])


@pytest.mark.parametrize("function", [hypervolume, exclusive_contributions, hypervolume_over_time])
@pytest.mark.parametrize(
    ("points", "reference", "message"),
    [
        ([1.0, 2.0], [0.0, 0.0], "points must be"),
        ([[1.0, 2.0]], [0.0], "reference must have"),
        ([[1.0, 2.0]], 0.0, "reference must have"),
        ([[1.0, 2.0]], [0.0, NAN], "finite"),
        ([[1.0, 2.0]], [0.0, INF], "finite"),
    ],
)
def test_wrong_input_is_refused(function, points, reference, message):
    with pytest.raises(ValueError, match=message):
        function(points, reference, maximize=[True, True])


def test_reference_is_the_front_nadir_moved_out():
    # (0.1, 99) is dominated: its 99 must not pull the reference.
    points = [[0.9, 30.0], [0.5, 10.0], [0.1, 99.0], [NAN, 0.0], [INF, 500.0]]
    result = reference_point(points, maximize=[True, False])
    np.testing.assert_allclose(result, [0.5 - 0.04, 30 + 2])
    np.testing.assert_allclose(reference_point(points, maximize=[True, False], margin=0), [0.5, 30])


def test_reference_of_a_single_point_leaves_room():
    result = reference_point([[0.8, 20.0, 0.0]], maximize=[True, False, False])
    np.testing.assert_allclose(result, [0.72, 22, 0.1])


@given(table=arrays(float, st.tuples(st.integers(1, 12), st.just(3)), elements=st.floats(-9, 9)))
def test_every_front_point_counts_against_the_reference(table):
    flags = [True, False, True]
    front = table[non_dominated(table, maximize=flags)]
    gain = (front - reference_point(table, maximize=flags)) * np.where(flags, 1, -1)
    assert (gain >= 0).all()
    assert (gain[:, np.ptp(front, axis=0) > 1e-9] > 0).all()


@pytest.mark.parametrize("points", [np.empty((0, 2)), [[NAN, 1.0]], [[INF, 1.0]]])
def test_reference_needs_a_finite_row(points):
    with pytest.raises(ValueError, match="finite"):
        reference_point(points, maximize=[True, True])


@pytest.mark.parametrize("margin", [-0.1, NAN, INF])
def test_reference_margin_is_checked(margin):
    with pytest.raises(ValueError, match="margin"):
        reference_point([[1.0, 1.0]], maximize=[True, True], margin=margin)
