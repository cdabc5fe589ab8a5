"""Bounds on objectives: closed intervals, NaN fails, unknown columns are named."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.pareto import Constraint, satisfies

NAN, INF = np.nan, np.inf
value = st.sampled_from([-INF, -1.0, 0.0, 1.0, 2.0, INF, NAN])
bound = st.none() | st.sampled_from([-INF, -1.0, 0.0, 1.0, INF])


@given(
    rows=st.lists(st.tuples(value, value), max_size=8),
    bounds=st.lists(st.tuples(st.sampled_from(["a", "b"]), bound, bound), max_size=3),
)
def test_matches_the_definition(rows, bounds):
    limits = [(n, lo, hi) for n, lo, hi in bounds if lo is None or hi is None or lo <= hi]
    table = {"a": np.array([r[0] for r in rows]), "b": np.array([r[1] for r in rows])}
    expected = []
    for a, b in rows:
        inside = [
            not np.isnan(v := {"a": a, "b": b}[n]) and (lo is None or v >= lo) and (hi is None or v <= hi)
            for n, lo, hi in limits
        ]
        expected.append(all(inside))
    marked = satisfies(table, [Constraint(n, lo, hi) for n, lo, hi in limits])
    assert marked.tolist() == expected


def test_bounds_belong_to_the_interval():
    marked = satisfies({"macs": [1, 2, 3, 4]}, [Constraint("macs", lower=2, upper=3)])
    assert marked.tolist() == [False, True, True, False]


def test_unmeasured_rows_fail_even_without_bounds(frozen):
    table = {"a": frozen([NAN, 1.0]), "b": frozen([1.0, NAN])}
    assert satisfies(table, [Constraint("a")]).tolist() == [False, True]
    assert satisfies(table, []).tolist() == [True, True]


def test_empty_tables():
    assert satisfies({}, []).shape == (0,)
    assert satisfies({"a": []}, [Constraint("a", lower=1)]).shape == (0,)


def test_a_data_frame_is_a_table():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [1.0, 2.0], "name": ["x", "y"]})
    assert satisfies(frame, []).tolist() == [True, True]
    assert satisfies(frame, [Constraint("a", lower=2.0)]).tolist() == [False, True]


def test_unknown_column_is_named_with_what_there_is():
    with pytest.raises(InvalidInput, match=r"'latency_ms'.*accuracy, macs"):
        satisfies({"accuracy": [1.0], "macs": [2.0]}, [Constraint("latency_ms", upper=1.0)])
    with pytest.raises(InvalidInput, match="none"):
        satisfies({}, [Constraint("latency_ms", upper=1.0)])


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(InvalidInput, match="shape"):
        satisfies({"a": [1.0, 2.0], "b": [1.0]}, [Constraint("b", lower=0.0)])


@pytest.mark.parametrize("bounds", [(2.0, 1.0), (NAN, None), (None, NAN)])
def test_impossible_bounds_are_refused(bounds):
    with pytest.raises(InvalidInput, match="accuracy"):
        Constraint("accuracy", *bounds)


def test_a_constraint_is_a_frozen_record():
    constraint = Constraint("accuracy", lower=0.9)
    assert constraint == Constraint("accuracy", 0.9, None)
    assert len({constraint, Constraint("accuracy", 0.9)}) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        constraint.lower = 0.1
