"""Fronts under limits against one front per limit, regions against geometry written out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.library.fronts import front
from core.pareto import Constraint, non_dominated
from core.views.regions import Region, inside
from core.views.third_objective import limited_fronts, limits_told, selected_within

NAMES = ("macs", "accuracy", "params")


def table(n: int = 60, seed: int = 0, levels: int = 12) -> pd.DataFrame:
    """Few levels, so that there are ties in every objective."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "arch_id": [f"{k:04d}" for k in range(n)],
            "macs": rng.integers(1, levels, n).astype(float),
            "accuracy": rng.integers(1, levels, n) / levels,
            "params": rng.integers(1, levels, n).astype(float),
        }
    )


@pytest.mark.parametrize("names", [NAMES, ("params", "macs", "accuracy"), ("accuracy", "params", "macs")])
@pytest.mark.parametrize("seed", range(4))
def test_every_limit_has_the_front_of_the_rows_within_it(names: tuple[str, ...], seed: int) -> None:
    rows = table(seed=seed)
    found = limited_fronts(rows, names)
    assert list(found.limits) == sorted(found.limits)
    assert len(found.limits) > 2
    for limit, members in zip(found.limits, found.members, strict=True):
        third = names[2]
        bound = Constraint(third, lower=limit) if third == "accuracy" else Constraint(third, upper=limit)
        expected = front(rows, names[:2], [bound]).members
        assert set(rows["arch_id"].iloc[members]) == set(expected["arch_id"])
        assert rows[names[0]].iloc[members].is_monotonic_increasing
    whole = front(rows, names[:2]).members
    assert set(rows["arch_id"].iloc[found.members[found.loosest]]) == set(whole["arch_id"])
    assert found.on_all == non_dominated(rows[list(names)], maximize=[n == "accuracy" for n in names]).sum()


def test_more_limits_than_stops_keep_both_ends() -> None:
    rows = table(3000, levels=900)
    everything, few = limited_fronts(rows, NAMES, most=10_000), limited_fronts(rows, NAMES, most=7)
    assert len(few.limits) == 7
    assert set(few.limits) <= set(everything.limits)
    assert (few.limits[0], few.limits[-1]) == (everything.limits[0], everything.limits[-1])
    assert few.nearest(None) == few.loosest == 6
    assert few.nearest(few.limits[2] + 1e-9) == 2


def test_what_is_only_predicted_is_on_no_front_whatever_the_limit() -> None:
    rows = table().assign(params_source="measured")
    rows.loc[rows["params"] < 3, "params_source"] = "predicted"
    found = limited_fronts(rows, NAMES)
    assert min(found.limits) >= 3
    measured = rows[rows["params_source"] == "measured"].reset_index(drop=True)
    alone = limited_fronts(measured, NAMES)
    assert alone.limits == found.limits
    for here, there in zip(found.members, alone.members, strict=True):
        assert rows["arch_id"].iloc[here].tolist() == measured["arch_id"].iloc[there].tolist()


def test_refuses_what_is_no_third_objective() -> None:
    with pytest.raises(InvalidInput, match="another one"):
        limited_fronts(table(), ("macs", "accuracy", "macs"))
    with pytest.raises(InvalidInput, match="may stand on a front"):
        limited_fronts(table().assign(params=np.nan), NAMES)


def test_a_region_selects_all_rows_within_it_and_within_the_limit() -> None:
    rows = table()
    found = limited_fronts(rows, NAMES)
    # Accuracy is drawn in percent.
    box = Region((2.0, 6.0), (80.0, 30.0))
    within = rows["macs"].between(2, 6) & rows["accuracy"].between(0.3, 0.8)
    everything = selected_within(rows, found, found.loosest, [box])
    assert set(everything.everything) == set(rows["arch_id"][within])
    on_front = set(rows["arch_id"].iloc[found.members[found.loosest]])
    assert set(everything.everything[: everything.members]) == on_front & set(everything.everything)
    at = 3
    limited = selected_within(rows, found, at, [box])
    assert set(limited.everything) == set(rows["arch_id"][within & (rows["params"] <= found.limits[at])])
    both = selected_within(rows, found, found.loosest, [box, Region((8, 9), (0, 100))])
    assert set(both.everything) == set(rows["arch_id"][within | rows["macs"].between(8, 9)])


def test_the_table_says_what_limits_cost() -> None:
    rows = table()
    found = limited_fronts(rows, NAMES)
    told = limits_told(rows, found, most=3)
    assert [row["Parameters at most"] for row in told] == ["1", "5", "any"]
    best = rows["accuracy"][rows["params"] <= 1].max()
    assert told[0]["best validation accuracy"] == f"{100 * best:.1f} %"
    assert told[-1]["subnets on the front"] == str(len(found.members[-1]))


@given(
    st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=3, max_size=8),
    st.floats(-6, 6).map(lambda v: v + 0.123),
    st.floats(-6, 6).map(lambda v: v + 0.317),
)
@settings(max_examples=60, deadline=None)
def test_a_lasso_holds_what_its_outline_winds_around(
    corners: list[tuple[int, int]], x: float, y: float
) -> None:
    """Even-odd rule, by the parity of the winding angle's sign changes: counted along another ray, upwards."""
    crossings = 0
    for (x1, y1), (x2, y2) in zip(corners, [*corners[1:], corners[0]], strict=True):
        if (x1 <= x) != (x2 <= x):
            crossings += y1 + (x - x1) * (y2 - y1) / (x2 - x1) > y
    region = Region(tuple(float(a) for a, _ in corners), tuple(float(b) for _, b in corners))
    assert inside(region, [x], [y])[0] == bool(crossings % 2)


def test_the_edge_of_a_box_belongs_to_it_and_nothing_is_nowhere() -> None:
    box = Region((1.0, 0.0), (0.0, 2.0))
    assert inside(box, [0, 1, 0.5, 1.01, np.nan], [0, 2, 1, 1, 1]).tolist() == [
        True,
        True,
        True,
        False,
        False,
    ]
    with pytest.raises(InvalidInput):
        inside(Region((1.0,), (1.0,)), [0], [0])
