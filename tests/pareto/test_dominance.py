"""Dominance against its textbook definition, on grids coarse enough that ties are common."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.pareto import non_dominated, ranks

INF, NAN = np.inf, np.nan


@st.composite
def tables(draw, values, max_rows=25, max_objectives=4):
    """(n, m) points on the given values, with m flags."""
    m = draw(st.integers(1, max_objectives))
    n = draw(st.integers(0, max_rows))
    points = draw(arrays(float, (n, m), elements=st.sampled_from(values)))
    points.flags.writeable = False
    return points, draw(st.lists(st.booleans(), min_size=m, max_size=m))


finite = tables([0.0, -0.0, 1.0, 2.0, 3.0])
with_specials = tables([0.0, 1.0, 2.0, INF, -INF, NAN])


def definition(points, maximize):
    """Not dominated by any complete row, in O(n^2 m)."""
    gain = points * np.where(maximize, 1, -1)
    complete = gain[~np.isnan(gain).any(axis=1)]
    return np.array(
        [not np.isnan(p).any() and not any((q >= p).all() and (q > p).any() for q in complete) for p in gain],
        bool,
    )


def peeled(points, maximize):
    """Ranks by taking away one front after the other."""
    result = np.zeros(len(points), int)
    left = np.flatnonzero(~np.isnan(points).any(axis=1))
    rank = 1
    while len(left):
        front = definition(points[left], maximize)
        result[left[front]] = rank
        left, rank = left[~front], rank + 1
    return result


@given(table=finite)
def test_front_matches_the_definition(table):
    points, maximize = table
    np.testing.assert_array_equal(non_dominated(points, maximize=maximize), definition(points, maximize))


@pytest.mark.parametrize("seed", range(4))
def test_many_points_in_two_objectives_are_ruled_out_rightly(seed):
    """Beyond the number from which a staircase of some points rules out most: ties, copies, infinities."""
    rng = np.random.default_rng(seed)
    points = rng.integers(0, (8, 60, 900, 10**6)[seed], (30_011, 2)).astype(float)
    points[rng.integers(0, len(points), 9)] = points[:9]
    points[rng.integers(0, len(points), 5), 1] = (INF, -INF, NAN, 0.0, 3.0)
    for maximize in ([False, True], [True, True]):
        gain = points * np.where(maximize, 1, -1)
        order = np.lexsort((-gain[:, 1], -gain[:, 0]))
        order = order[~np.isnan(gain[order]).any(axis=1)]
        best, expected, start = -INF, np.zeros(len(points), bool), 0
        while start < len(order):  # rows of equal first value together: the best of them, if above all before
            stop = start
            while stop < len(order) and gain[order[stop], 0] == gain[order[start], 0]:
                stop += 1
            top = gain[order[start], 1]
            if top > best or start == 0:
                expected[[k for k in order[start:stop] if gain[k, 1] == top]] = True
                best = top
            start = stop
        np.testing.assert_array_equal(non_dominated(points, maximize=maximize), expected)


@given(table=with_specials)
def test_front_matches_the_definition_with_nan_and_infinity(table):
    points, maximize = table
    np.testing.assert_array_equal(non_dominated(points, maximize=maximize), definition(points, maximize))


@settings(max_examples=50)
@given(table=with_specials)
def test_ranks_match_peeling(table):
    points, maximize = table
    np.testing.assert_array_equal(ranks(points, maximize=maximize), peeled(points, maximize))


@given(table=with_specials)
def test_rank_one_is_the_front(table):
    points, maximize = table
    np.testing.assert_array_equal(
        ranks(points, maximize=maximize) == 1, non_dominated(points, maximize=maximize)
    )


@pytest.mark.slow
@pytest.mark.parametrize("m", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("values", [[-INF, 0, 1, 2, 3], [INF, 0, 1, 2, 3], range(5)])
def test_large_tables_match_the_definition(m, values):
    # Above a few hundred points moocore switches algorithm; in 3-D its fast one dies on -inf.
    points = np.random.default_rng(m).choice(list(values), size=(1500, m)).astype(float)
    maximize = [bool(i % 2) for i in range(m)]
    gain = points * np.where(maximize, 1, -1)
    distinct, row = np.unique(gain, axis=0, return_inverse=True)
    expected = definition(distinct, [True] * m)[row.ravel()]
    np.testing.assert_array_equal(non_dominated(points, maximize=maximize), expected)


@given(table=with_specials)
def test_turning_an_objective_around_with_its_values_changes_nothing(table):
    points, maximize = table
    np.testing.assert_array_equal(
        non_dominated(points, maximize=maximize),
        non_dominated(-points, maximize=[not flag for flag in maximize]),
    )


def test_copies_of_a_front_point_are_all_marked():
    marked = non_dominated([[1, 1], [0, 0], [1, 1]], maximize=[True, True])
    np.testing.assert_array_equal(marked, [True, False, True])


@pytest.mark.parametrize("n_filler", [0, 2000])
def test_a_point_with_any_nan_is_never_marked(n_filler):
    points = np.vstack([[[1.0, NAN], [0.0, 0.0], [2.0, 2.0]], np.zeros((n_filler, 2))])
    marked = non_dominated(points, maximize=[True, True])
    np.testing.assert_array_equal(marked[:3], [False, False, True])


def test_a_nan_point_dominates_nobody():
    np.testing.assert_array_equal(non_dominated([[NAN, 9], [1, 1]], maximize=[True, True]), [False, True])


@pytest.mark.parametrize("m", [1, 2, 3, 4])
def test_empty_and_single_tables(m, frozen):
    flags = [True] * m
    for function in (non_dominated, ranks):
        assert function(frozen(np.empty((0, m))), maximize=flags).shape == (0,)
        assert function(frozen(np.ones((1, m))), maximize=flags).tolist() == [1]
        assert function(frozen(np.full((2, m), NAN)), maximize=flags).tolist() == [0, 0]


def test_result_types():
    assert non_dominated([[1.0]], maximize=[True]).dtype == bool
    assert ranks([[1.0]], maximize=[True]).dtype == np.int64


def test_integer_and_list_input_and_numpy_flags():
    assert non_dominated([[1, 2], [2, 1]], maximize=np.array([True, True])).all()


@pytest.mark.parametrize("function", [non_dominated, ranks])
@pytest.mark.parametrize(
    ("points", "maximize"),
    [
        ([1.0, 2.0], [True, True]),
        ([[1.0, 2.0]], [True]),
        ([[1.0, 2.0]], [True, False, True]),
        ([[1.0, 2.0]], True),
        ([[1.0, 2.0]], ["up", "down"]),
        (np.empty((2, 0)), []),
        (np.empty((1, 2, 2)), [True, True]),
    ],
)
def test_wrong_shapes_are_refused(function, points, maximize):
    with pytest.raises(ValueError, match=r"points must be|maximize must"):
        function(points, maximize=maximize)


def test_there_is_no_default_direction():
    with pytest.raises(TypeError):
        non_dominated([[1.0, 2.0]])
    with pytest.raises(TypeError):
        non_dominated([[1.0, 2.0]], [True, True])


def test_copies_share_their_fate_where_there_are_many() -> None:
    rng = np.random.default_rng(5)
    # A grid so coarse that points have copies, along a front that falls.
    x = rng.integers(0, 300, 60_000)
    points = np.stack([x, 300 - x + rng.integers(0, 50, 60_000)], axis=1).astype(float)
    marked = non_dominated(points, maximize=[False, False])
    different, of = np.unique(points, axis=0, return_inverse=True)
    lowest_before = np.concatenate([[np.inf], np.minimum.accumulate(different[:, 1])[:-1]])
    np.testing.assert_array_equal(marked, (different[:, 1] < lowest_before)[of.ravel()])
    assert marked.sum() > len(np.unique(points[marked], axis=0))
