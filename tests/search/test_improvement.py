"""Expected hypervolume improvement against drawing from the normals and measuring the volume."""

from __future__ import annotations

import numpy as np
import pytest

from core.pareto import hypervolume
from core.search.improvement import Improvement


def drawn(
    front: np.ndarray, mean: np.ndarray, deviation: np.ndarray, reference: np.ndarray, n: int = 1500
) -> float:
    rng = np.random.default_rng(3)
    flags = [False] * len(reference)
    before = hypervolume(front, reference, maximize=flags)
    points = mean + deviation * rng.standard_normal((n, len(mean)))
    return float(
        np.mean(
            [
                hypervolume(np.concatenate([front, p[None]]), reference, maximize=flags) - before
                for p in points
            ]
        )
    )


@pytest.mark.parametrize("known", [False, True], ids=["two uncertain", "one known"])
def test_two_objectives_are_exact(known: bool) -> None:
    rng = np.random.default_rng(0)
    front = rng.uniform(0.3, 1, (12, 2))
    reference = np.array([1.1, 1.2])
    mean = rng.uniform(0, 0.6, (5, 2))
    deviation = rng.uniform(0.05, 0.2, (5, 2)) * [1, 0 if known else 1]
    found = Improvement(front, mean, deviation, reference=reference, rng=rng).of(np.arange(5))
    expected = [drawn(front, m, d, reference) for m, d in zip(mean, deviation, strict=True)]
    assert found == pytest.approx(expected, abs=0.015)
    assert max(expected) > 0.1


@pytest.mark.parametrize("objectives", [1, 2, 3])
def test_without_uncertainty_it_is_the_volume_that_is_won(objectives: int) -> None:
    rng = np.random.default_rng(1)
    front, reference = rng.random((6, objectives)), np.full(objectives, 1.1)
    mean = rng.uniform(0, 1, (10, objectives))
    improvement = Improvement(front, mean, np.zeros_like(mean), reference=reference, rng=rng)
    found = improvement.of(np.arange(10))
    flags = [False] * objectives
    before = hypervolume(front, reference, maximize=flags)
    expected = [
        hypervolume(np.concatenate([front, p[None]]), reference, maximize=flags) - before for p in mean
    ]
    assert found == pytest.approx(expected, abs=1e-9 if objectives < 3 else 0.03)
    # Who is believed has been won: nobody wins it again.
    best = int(np.argmax(found))
    improvement.believe(best)
    joined = np.concatenate([front, mean[[best]]])
    after = hypervolume(joined, reference, maximize=flags)
    expected = [
        hypervolume(np.concatenate([joined, p[None]]), reference, maximize=flags) - after for p in mean
    ]
    assert improvement.of(np.arange(10)) == pytest.approx(expected, abs=1e-9 if objectives < 3 else 0.03)
    assert improvement.of(np.array([best]))[0] == pytest.approx(0, abs=1e-12)


def test_three_uncertain_objectives_by_sampling() -> None:
    rng = np.random.default_rng(2)
    front, reference = rng.random((10, 3)), np.full(3, 1.1)
    mean, deviation = rng.uniform(0, 0.8, (6, 3)), rng.uniform(0.05, 0.2, (6, 3))
    found = Improvement(front, mean, deviation, reference=reference, rng=rng).of(np.arange(6))
    expected = [drawn(front, m, d, reference, 800) for m, d in zip(mean, deviation, strict=True)]
    # Far tails lie beyond the sampled box.
    assert found == pytest.approx(expected, rel=0.25, abs=0.02)


def test_a_front_outside_the_reference_leaves_everything_open() -> None:
    mean = np.array([[0.5, 0.5]])
    improvement = Improvement(
        np.array([[2.0, 0.1]]), mean, np.zeros((1, 2)), reference=np.ones(2), rng=np.random.default_rng(0)
    )
    assert improvement.of(np.array([0])) == pytest.approx([0.25])
