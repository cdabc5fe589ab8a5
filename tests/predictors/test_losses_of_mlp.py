"""A perceptron may learn the order alone, and its guesses are in the objective's unit all the same."""

from __future__ import annotations

import numpy as np
import pytest

from core.predictors import PREDICTORS
from core.rank_correlation import kendall
from tests.helpers.planted import QUALITY, Planted, flat_space

SPACE = flat_space(8)
PLANTED = Planted(SPACE)


def data(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rows = np.unique(SPACE.sample_array(n, np.random.default_rng(seed)), axis=0)
    return rows, np.array([PLANTED.values(tuple(row))["quality"] for row in rows.tolist()])


@pytest.mark.parametrize("loss", ["squared", "diff_kendall"])
def test_either_loss_orders_and_keeps_the_unit(loss: str) -> None:
    rows, values = data(120, 0)
    predictor = PREDICTORS.create("mlp", {"loss": loss, "steps": 120}, space=SPACE, objective=QUALITY, seed=0)
    # In other units the order is the same, and the guesses follow.
    predictor.fit(rows, 1000 * values + 5000)
    others, truth = data(200, 1)
    said = predictor.predict(others).mean
    assert (kendall(said, truth) or 0) > 0.75
    assert np.mean(np.abs(said - (1000 * truth + 5000))) < 0.5 * np.std(1000 * truth)


def test_a_steeper_loss_is_another_one() -> None:
    rows, values = data(60, 0)
    guesses = []
    for steepness in (0.5, 8.0):
        settings = {"loss": "diff_kendall", "steps": 20, "steepness": steepness}
        predictor = PREDICTORS.create("mlp", settings, space=SPACE, objective=QUALITY, seed=0)
        predictor.fit(rows, values)
        guesses.append(predictor.predict(rows).mean)
    assert not np.allclose(*guesses)
