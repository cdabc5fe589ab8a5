"""The front under resampling, against the slow, obvious way and against known truth."""

from __future__ import annotations

import numpy as np
import pytest

from core.chance.resampling import resampled_fronts, sample_weights
from core.pareto import non_dominated


def naive(right: np.ndarray, costs: np.ndarray, weights: np.ndarray, dearer_is_better: bool) -> np.ndarray:
    """(resamples, n) by the definition: on the front where nothing beats it in both."""
    fronts = []
    for drawn in weights:
        correct = right.astype(float) @ drawn
        points = np.stack([correct, costs], axis=1)
        fronts.append(non_dominated(points, maximize=[True, dearer_is_better]))
    return np.array(fronts)


@pytest.mark.parametrize("ties", [1, 4, 60], ids=["no two alike", "some ties", "one cost"])
@pytest.mark.parametrize("dearer_is_better", [False, True])
def test_equals_the_definition_in_every_resample(ties: int, dearer_is_better: bool) -> None:
    rng = np.random.default_rng(ties)
    right = (rng.random((60, 25)) < 0.85).astype(np.uint8)
    right[:, 3], right[:, 4] = 1, 0  # samples that tell nothing apart
    right[10] = right[11]
    costs = (rng.permutation(60) // ties).astype(float)
    costs[[5, 17]] = np.nan
    found = resampled_fronts(right, costs, resamples=300, seed=7, dearer_is_better=dearer_is_better)
    weights = sample_weights(25, 300, seed=7)
    expected = naive(right, costs, weights, dearer_is_better)
    mine = np.zeros_like(expected)
    mine[found.resample, found.row] = True
    np.testing.assert_array_equal(mine, expected)
    np.testing.assert_allclose(found.share, expected.mean(0))
    np.testing.assert_array_equal(found.correct, (weights @ right.T)[found.resample, found.row])
    assert found.share[[5, 17]].tolist() == [0, 0]


def test_every_resample_draws_all_samples_and_follows_from_its_seed() -> None:
    weights = sample_weights(40, 500, seed=1)
    assert (weights.sum(1) == 40).all()
    assert weights.mean(0) == pytest.approx(np.ones(40), abs=0.2)
    np.testing.assert_array_equal(weights, sample_weights(40, 500, seed=1))
    assert (weights != sample_weights(40, 500, seed=2)).any()


def test_what_does_not_fit_is_refused_and_nothing_gives_nothing() -> None:
    with pytest.raises(ValueError, match="same subnets"):
        resampled_fronts(np.zeros((3, 5), np.uint8), np.zeros(4))
    empty = resampled_fronts(np.zeros((3, 5), np.uint8), np.full(3, np.nan), resamples=10)
    assert empty.share.tolist() == [0, 0, 0]
    assert len(empty.row) == 0


def test_a_subnet_that_nothing_can_beat_is_always_there_and_a_beaten_one_never() -> None:
    right = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [1, 1, 1, 1]], np.uint8)
    found = resampled_fronts(right, np.array([1.0, 2.0, 3.0]), resamples=500)
    assert found.share[0] == 1
    assert found.share[1] == 0
    assert 0.9 < found.share[2] < 1  # now and then only the first two samples are drawn
