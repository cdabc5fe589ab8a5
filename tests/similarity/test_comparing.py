"""Comparing all layers: the same numbers as pair by pair, a null value beside each, a reason where there is none."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from core.errors import InvalidInput
from core.similarity.base import Measure, Undefined, between
from core.similarity.comparing import compare_layers


class Correlation(Measure):
    """Absolute correlation of the layers' means over units; undefined where a layer is constant."""

    label = "Mean correlation"

    def least_samples(self, p: int, q: int) -> int:
        return 3

    def prepare(self, x: np.ndarray) -> Any:
        mean = x.mean(1) - x.mean()
        if not (norm := np.linalg.norm(mean)):
            raise Undefined("Every unit of this layer is constant.")
        return mean / norm

    def shuffled(self, prepared: Any, order: np.ndarray) -> Any:
        return prepared[order]

    def compare(self, a: Any, b: Any) -> float:
        return float(abs(a @ b))


@pytest.fixture
def layers() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {"0": rng.random((50, 4)), "1": rng.random((50, 7)), "2": rng.random((50, 2))}


def test_every_cell_is_what_the_pair_gives(layers: dict[str, np.ndarray]) -> None:
    found = compare_layers(layers, layers, Correlation())
    for i, x in enumerate(layers.values()):
        for j, y in enumerate(layers.values()):
            assert found.values[i, j] == pytest.approx(between(x, y, Correlation()).value, abs=1e-15)
    assert np.allclose(np.diag(found.values), 1)
    assert found.units_a == (4, 7, 2)
    assert not found.reasons


def test_the_null_is_that_of_rows_in_another_order(layers: dict[str, np.ndarray]) -> None:
    found = compare_layers(layers, layers, Correlation(), permutations=40)
    # |correlation| of 50 unrelated samples: sqrt(2 / (pi * 49)) on average.
    assert found.null_mean == pytest.approx(math.sqrt(2 / (math.pi * 49)), abs=0.06)
    assert (found.null_mean < 0.3).all()
    assert (found.null_sd > 0).all()


def test_the_same_seed_gives_the_same_null(layers: dict[str, np.ndarray]) -> None:
    once, twice, other = (compare_layers(layers, layers, Correlation(), seed=s) for s in (1, 1, 2))
    assert np.array_equal(once.null_mean, twice.null_mean)
    assert not np.array_equal(once.null_mean, other.null_mean)


def test_a_dead_layer_gets_a_reason_and_leaves_the_others_alone(layers: dict[str, np.ndarray]) -> None:
    dead = layers | {"1": np.ones((50, 7))}
    found = compare_layers(layers, dead, Correlation())
    assert np.isnan(found.values[:, 1]).all()
    assert {key[1] for key in found.reasons} == {1}
    assert "constant" in found.reasons[0, 1]
    whole = compare_layers(layers, layers, Correlation())
    assert np.array_equal(found.values[:, [0, 2]], whole.values[:, [0, 2]])


def test_layers_of_different_rows_cannot_be_compared(layers: dict[str, np.ndarray]) -> None:
    other = layers | {"1": np.random.default_rng(1).random((200, 7))}
    found = compare_layers(layers, other, Correlation())
    assert "50 and 200 rows" in found.reasons[0, 1]
    assert np.isfinite(found.values[:, [0, 2]]).all()


def test_too_few_samples_are_said() -> None:
    few = {"0": np.random.default_rng(0).random((2, 3))}
    found = compare_layers(few, few, Correlation())
    assert "needs at least 3 samples; there are 2" in found.reasons[0, 0]
    assert "needs at least 3" in between(few["0"], few["0"], Correlation()).reason


def test_broken_activations_are_refused() -> None:
    broken = {"0": np.array([[1.0, np.nan], [0.0, 1.0], [1.0, 2.0]])}
    with pytest.raises(InvalidInput, match="not finite"):
        compare_layers(broken, broken, Correlation())
    with pytest.raises(InvalidInput, match="no layers"):
        compare_layers({}, broken, Correlation())


def test_a_value_that_is_not_finite_gets_a_reason(layers: dict[str, np.ndarray]) -> None:
    class Broken(Correlation):
        def compare(self, a: Any, b: Any) -> float:
            return math.inf

    found = compare_layers(layers, layers, Broken())
    assert len(found.reasons) == 9
    assert np.isnan(found.values).all()


def test_layers_too_wide_for_a_measure_are_said_at_once(layers: dict[str, np.ndarray]) -> None:
    class Narrow(Correlation):
        most_units = 5

    found = compare_layers(layers, layers, Narrow())
    assert "would take long" in found.reasons[1, 0]
    assert set(found.reasons) == {(i, j) for i in range(3) for j in range(3) if 1 in (i, j)}
