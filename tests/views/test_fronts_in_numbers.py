"""Several fronts in numbers, against a written-out definition."""

from __future__ import annotations

import numpy as np
import pytest

from core.objectives.base import objective
from core.views.fronts_in_numbers import member_rows, volume_rows, volumes
from core.views.several_fronts import SeveralFronts, series_of

X, Y = objective("macs"), objective("accuracy")


def front(key: str, values: list[tuple[float, float]]):
    ids = np.array([f"{key}{i}" for i in range(len(values))], object)
    return series_of(key, key.upper(), X, Y, ids, np.array(values))


def test_fronts_are_held_against_one_reference_point() -> None:
    a = front("a", [(10.0, 0.5), (20.0, 0.9), (30.0, 0.4)])
    b = front("b", [(10.0, 0.5), (float("nan"), 1.0)])
    one, other = volumes(SeveralFronts((a, b), (False, False), False))
    # The worst members: 20 MACs and 0.5, a tenth of their ranges (10 and 0.4) further out: (21, 0.46).
    assert one.hypervolume == pytest.approx((21 - 10) * 0.04 + (21 - 20) * 0.4)
    assert other.hypervolume == pytest.approx((21 - 10) * 0.04)
    assert (one.members, one.n, other.members, other.n) == (2, 3, 1, 1)
    assert (one.share, other.share) == (1.0, pytest.approx(0.44 / 0.84))
    assert [row["of the largest"] for row in volume_rows([one, other])] == ["100.0 %", "52.4 %"]


def test_one_front_or_other_objectives_have_nothing_to_compare() -> None:
    a = front("a", [(10.0, 0.5)])
    params = series_of("p", "P", objective("params"), Y, a.ids, a.values)
    assert volumes(SeveralFronts((a,), (False, False), False)) == []
    assert volumes(SeveralFronts((a, params), (False, False), True)) == []


def test_members_as_a_file() -> None:
    a, b = front("a", [(10.0, 0.5), (20.0, 0.4)]), front("b", [(1.0, 0.25)])
    assert member_rows(SeveralFronts((a, b), (False, False), False), "subnet") == [
        {"front": "A", "subnet": "a0", "macs": 10.0, "accuracy": 0.5},
        {"front": "B", "subnet": "b0", "macs": 1.0, "accuracy": 0.25},
    ]
