"""Parallel coordinates: what a box means on an axis, and which subnets pass through ranges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.library.fronts import front
from core.objectives.base import objectives
from core.spaces import Choice, SearchSpace
from core.views.brushes import Brush, read_brushes, write_brushes
from core.views.parallel import ABSENT, Parallel, parallel
from core.views.regions import Region

SPACE = SearchSpace(
    [
        Choice("fixed", (3,)),
        Choice("depth", (1, 2)),
        Choice("width", (8, 16, 32), requires=("depth", (1,))),
        Choice("kernel", (3, 5)),
    ]
)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    archs = SPACE.array()
    rng = np.random.default_rng(0)
    values = {"accuracy": rng.random(len(archs)), "macs": 10 ** rng.uniform(3, 6, len(archs))}
    return front(pd.DataFrame({"arch_id": SPACE.arch_ids(archs), **values}), ("macs", "accuracy")).table


@pytest.fixture(scope="module")
def view(rows: pd.DataFrame) -> Parallel:
    return parallel(SPACE, rows, objectives(["accuracy", "macs"]))


def test_axes_are_what_differs_and_better_is_higher(view: Parallel, rows: pd.DataFrame) -> None:
    assert [axis.name for axis in view.axes] == ["accuracy", "macs", "depth", "width", "kernel"]
    accuracy, macs = view.axes[:2]
    assert accuracy.heights[rows["accuracy"].argmax()] == 1
    assert accuracy.heights[rows["accuracy"].argmin()] == 0
    assert macs.logarithmic
    assert macs.heights[rows["macs"].argmin()] == 1
    assert (view.axis("width").heights[[arch[1] == "0" for arch in rows["arch_id"]]] == ABSENT).all()


def test_a_range_on_an_objective_keeps_what_lies_between_the_heights(view: Parallel) -> None:
    for k in (0, 1):
        axis = view.axes[k]
        [brush] = view.brushed((), [Region((k - 0.2, k + 0.2), (0.25, 0.7))])
        expected = (axis.heights >= 0.25) & (axis.heights <= 0.7)
        assert expected.any()
        assert not expected.all()
        np.testing.assert_array_equal(view.matching([brush]), expected)
        np.testing.assert_allclose(axis.heights_of(brush), (0.25, 0.7))


def test_a_range_on_a_choice_is_options_and_those_without_it_stand_apart(
    view: Parallel, rows: pd.DataFrame
) -> None:
    [brush] = view.brushed((), [Region((3.1, 2.8), (0.4, 1.1))])
    assert brush == Brush("width", 1, 2)
    there = rows["arch_id"].str[1] == "1"
    np.testing.assert_array_equal(view.matching([brush]), there & rows["arch_id"].str[2].isin(["1", "2"]))
    [absent] = view.brushed((), [Region((2.9, 3.1), (-0.2, -0.05))])
    np.testing.assert_array_equal(view.matching([absent]), ~there)
    assert (view.told(brush), view.told(absent)) == ("width 16 to 32", "width not there")
    assert view.brushed((), [Region((2.9, 3.1), (0.1, 0.2))]) == (), "no option lies there"


def test_a_box_over_several_axes_sets_all_of_them_and_a_new_one_replaces(view: Parallel) -> None:
    both = view.brushed((), [Region((-0.3, 1.3), (0.5, 1.0))])
    assert [brush.name for brush in both] == ["accuracy", "macs"]
    again = view.brushed(both, [Region((0.1, 0.3), (0.0, 0.2))])  # between two axes: the nearest
    assert again[1] == both[1]
    assert again[0] != both[0]
    matches = view.matches(again)
    assert list(matches.ids)
    assert set(matches.ids) == set(view.ids[view.matching(again)])
    on_front = set(view.ids[view.on_front])
    assert set(matches.ids[: matches.members]) == on_front & set(matches.ids)


def test_ranges_become_limits_on_the_side_that_costs(view: Parallel) -> None:
    brushes = [Brush("accuracy", 0.2, 0.6), Brush("macs", 2e3, 5e4), Brush("kernel", 0, 0)]
    accuracy, macs = view.limits(brushes)
    assert (accuracy.lower, accuracy.upper, macs.lower, macs.upper) == (0.2, None, None, 5e4)


numbers = st.floats(-1e12, 1e12, allow_subnormal=False).filter(lambda v: v == 0 or abs(v) > 1e-12)


@given(
    st.dictionaries(
        st.sampled_from(["accuracy", "latency_ms.Pixel-3_a1", "width1"]), st.tuples(numbers, numbers)
    )
)
def test_a_link_keeps_what_was_inside_inside(given: dict[str, tuple[float, float]]) -> None:
    brushes = tuple(Brush(name, *sorted(ends)) for name, ends in sorted(given.items()))
    if not brushes:
        return
    read = read_brushes(write_brushes(brushes))
    assert read is not None
    assert [b.name for b in read] == [b.name for b in brushes]
    for old, new in zip(brushes, read, strict=True):
        assert new.low <= old.low
        assert new.high >= old.high
        assert new.low == pytest.approx(old.low, rel=2e-5)
        assert new.high == pytest.approx(old.high, rel=2e-5)


@pytest.mark.parametrize(
    "text", ["accuracy~0.5", "a~2~1", "a~nan~1", "a~1~inf", "a~1e999~2", "<b>~0~1", "a~0~1;", "~0~1"]
)
def test_what_is_no_range_is_refused(text: Any) -> None:
    assert read_brushes(text) is None
