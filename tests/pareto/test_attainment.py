"""Attainment surfaces against the definition: which places did how many runs reach?"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.pareto import attainment_surface, attainment_surfaces, non_dominated

NAN, INF = np.nan, np.inf
SIDE = 4


@st.composite
def experiments(draw):
    """Several runs of integer points, with directions; some points unfinished or infinite."""
    m = draw(st.integers(1, 3))
    values = st.sampled_from([*map(float, range(SIDE)), NAN, INF])
    sizes = draw(st.lists(st.integers(0, 6), min_size=1, max_size=5))
    runs = [draw(arrays(float, (n, m), elements=values)) for n in sizes]
    for run in runs:
        run.flags.writeable = False
    return runs, draw(st.lists(st.booleans(), min_size=m, max_size=m))


def reached(points, places, maximize):
    """Which places some complete point is at least as good as, (p, m) -> (p,)."""
    signs = np.where(maximize, 1, -1)
    complete = points[~np.isnan(points).any(axis=1)]
    return (complete[None] * signs >= places[:, None] * signs).all(axis=2).any(axis=1)


@settings(max_examples=80, deadline=None)
@given(experiment=experiments(), fraction=st.sampled_from([0.01, 0.2, 0.25, 0.5, 0.75, 1.0]))
def test_surface_bounds_what_enough_runs_reached(experiment, fraction):
    runs, maximize = experiment
    m = len(maximize)
    axis = np.array([-1.0, *range(SIDE), INF])
    places = np.stack(np.meshgrid(*[axis] * m, indexing="ij"), axis=-1).reshape(-1, m)
    counts = sum(reached(run, places, maximize).astype(int) for run in runs)
    expected = counts >= max(1, math.ceil(fraction * len(runs)))
    surface = attainment_surface(runs, maximize=maximize, fraction=fraction)
    np.testing.assert_array_equal(reached(surface, places, maximize), expected)
    assert non_dominated(surface, maximize=maximize).all()
    assert len(np.unique(surface, axis=0)) == len(surface)


def test_three_single_point_runs():
    runs = [[[1.0, 3.0]], [[2.0, 2.0]], [[3.0, 1.0]]]
    surfaces = attainment_surfaces(runs, maximize=[False, False])
    np.testing.assert_array_equal(surfaces.best, [[1, 3], [2, 2], [3, 1]])
    np.testing.assert_array_equal(surfaces.median, [[2, 3], [3, 2]])
    np.testing.assert_array_equal(surfaces.worst, [[3, 3]])


def test_one_run_is_its_own_front_three_times():
    run = [[0.9, 10.0], [0.8, 5.0], [0.7, 9.0]]
    surfaces = attainment_surfaces([run], maximize=[True, False])
    for surface in (surfaces.best, surfaces.median, surfaces.worst):
        np.testing.assert_array_equal(surface, [[0.8, 5], [0.9, 10]])


def test_values_come_back_unrounded_and_without_negative_zero():
    run = np.array([[0.1 + 0.2, 0.0]])
    surface = attainment_surface([run], maximize=[True, True], fraction=1)
    assert surface.tobytes() == run.tobytes()


@pytest.mark.parametrize("n_runs", [3, 7, 10, 29, 30])
def test_every_level_is_met_exactly(n_runs):
    # Run i reaches everything up to i, so k runs reach everything up to the k-th best.
    runs = [[[float(i)]] for i in range(n_runs)]
    for k in range(1, n_runs + 1):
        surface = attainment_surface(runs, maximize=[True], fraction=k / n_runs)
        np.testing.assert_array_equal(surface, [[n_runs - k]])


def test_a_run_without_a_point_counts_as_one_that_reached_nothing():
    runs = [[[1.0, 1.0]], np.empty((0, 2)), [[NAN, 0.0]]]
    surfaces = attainment_surfaces(runs, maximize=[False, False])
    np.testing.assert_array_equal(surfaces.best, [[1, 1]])
    assert surfaces.median.shape == surfaces.worst.shape == (0, 2)


@pytest.mark.parametrize(
    ("runs", "maximize", "fraction", "message"),
    [
        ([], [True], 0.5, "at least one run"),
        ([np.zeros((1, 4))], [True] * 4, 0.5, "up to 3"),
        ([np.zeros((1, 2))], [True] * 2, 0.0, "fraction"),
        ([np.zeros((1, 2))], [True] * 2, 1.5, "fraction"),
        ([np.zeros((1, 3))], [True] * 2, 0.5, "points must be"),
    ],
)
def test_wrong_input_is_refused(runs, maximize, fraction, message):
    with pytest.raises(ValueError, match=message):
        attainment_surface(runs, maximize=maximize, fraction=fraction)


def test_no_runs_have_no_surfaces():
    with pytest.raises(ValueError, match="at least one run"):
        attainment_surfaces([], maximize=[True])
