"""All pairs of many networks are what comparing them two by two says, and alike ones stand together."""

from __future__ import annotations

import math
from itertools import pairwise, permutations
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.seeding import stream
from core.similarity.base import MEASURES, between
from core.similarity.many import PairMatrix, all_pairs, clustered_order

N, ROWS = 4, 30


def features(network: int, place: int) -> NDArray[np.float64]:
    return stream(0, "many", network, place).normal(size=(ROWS, 3 + network))


def matrix(name: str, places: int = 1, of: Any = features, n: int = N) -> PairMatrix:
    *shares, found = all_pairs(of, n, places, MEASURES.create(name))
    assert isinstance(found, PairMatrix)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    return found


@pytest.mark.parametrize("name", MEASURES.names())
def test_every_measure_says_of_a_pair_what_it_says_of_two(name: str) -> None:
    measure = MEASURES.create(name)
    # Measures of answers want equally many classes.
    of = (
        features
        if measure.of == "activations"
        else lambda k, p: stream(0, "many", k, p).normal(size=(ROWS, 4))
    )
    found = matrix(name, of=of)
    for i in range(N):
        for j in range(N):
            alone = between(of(i, 0), of(j, 0), measure)
            if alone.reason:
                assert math.isnan(found.values[i, j])
                assert found.reasons[i, j]
            else:
                assert found.values[i, j] == pytest.approx(alone.value, abs=1e-6)


def test_a_mean_over_places_is_one_and_a_missing_place_leaves_no_value() -> None:
    one, two = (matrix("cka", of=lambda k, p, at=at: features(k, at)).values for at in (0, 1))
    np.testing.assert_allclose(matrix("cka", places=2).values, (one + two) / 2)

    def with_a_hole(network: int, place: int) -> NDArray[np.float64] | None:
        return None if (network, place) == (2, 1) else features(network, place)

    found = matrix("cka", places=2, of=with_a_hole)
    assert set(found.reasons) == {(2, j) for j in range(N)} | {(i, 2) for i in range(N)}
    assert np.isnan(found.values[2]).all()
    assert np.isfinite(np.delete(np.delete(found.values, 2, 0), 2, 1)).all()
    assert "no layer of that name" in found.reasons[2, 0]


def test_reasons_are_those_of_the_pair() -> None:
    def odd(network: int, place: int) -> NDArray[np.float64]:
        x = features(network, place)
        return x * 0 if network == 1 else x[:-1] if network == 3 else x

    found = matrix("cka", of=odd)
    assert "rows" in found.reasons[0, 3]
    assert (0, 1) in found.reasons
    assert (0, 2) not in found.reasons


def groups() -> NDArray[np.float64]:
    """Two groups, their members in turn."""
    group = np.arange(6) % 2
    return np.where(group[:, None] == group, 0.9, 0.1) + 0.1 * np.eye(6)


@pytest.mark.parametrize("distance", [False, True])
def test_alike_networks_stand_together(distance: bool) -> None:
    values = 1 - groups() if distance else groups()
    order = clustered_order(values, distance=distance)
    assert sorted(order) == list(range(6))
    assert len({k % 2 for k in order[:3]}) == 1


def test_the_order_is_the_best_of_the_trees() -> None:
    # Four places on a line: of all orders of the leaves the line itself has the least way between neighbors.
    x = np.array([3.0, 0.0, 2.0, 1.0])
    far = np.abs(x[:, None] - x)
    order = clustered_order(far, distance=True)
    way = lambda p: sum(far[a, b] for a, b in pairwise(p))  # noqa: E731
    assert way(order) == min(way(p) for p in permutations(range(4)))


def test_gaps_stand_for_the_least_alike_and_little_is_left_as_it_is() -> None:
    values = groups()
    values[0, 1] = values[1, 0] = math.nan
    assert len({k % 2 for k in clustered_order(values, distance=False)[:3]}) == 1
    assert clustered_order(np.full((5, 5), math.nan), distance=False) == [0, 1, 2, 3, 4]
    assert clustered_order([[1, 0], [0, 1]], distance=False) == [0, 1]
    assert clustered_order(np.ones((4, 4)), distance=False) is not None
