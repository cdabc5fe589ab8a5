"""Resampled rank correlations: by hand on one draw, and as wide as they should be."""

from __future__ import annotations

import numpy as np
import pytest

from core.chance.rank_intervals import middle, resampled_kendall
from core.rank_correlation import kendall
from core.seeding import stream


def test_each_draw_is_tau_b_of_the_things_drawn() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 9, 30).astype(float), rng.standard_normal(30)
    counts = stream(3, "resampled kendall").multinomial(30, np.full(30, 1 / 30), size=20)
    expected = [kendall(np.repeat(a, row), np.repeat(b, row)) for row in counts]
    assert resampled_kendall(a, b, draws=20, seed=3) == pytest.approx(np.array(expected, float))


def test_infinities_are_at_the_ends() -> None:
    a = np.array([-np.inf, 1.0, 2.0, 3.0, 4.0, 5.0])
    assert resampled_kendall(a, np.arange(6.0), draws=50) == pytest.approx(
        resampled_kendall(np.arange(6.0), np.arange(6.0), draws=50), nan_ok=True
    )


def test_intervals_hold_the_truth_as_often_as_they_promise() -> None:
    """Of two normal variables with correlation r, tau is 2 / pi asin r."""
    r, held = 0.6, 0
    for seed in range(120):
        rng = np.random.default_rng(seed)
        a, noise = rng.standard_normal((2, 60))
        low, high = middle(resampled_kendall(a, r * a + np.sqrt(1 - r * r) * noise, draws=300, seed=seed))
        held += low <= 2 / np.pi * np.arcsin(r) <= high
    assert 0.88 <= held / 120 <= 0.995


def test_no_order_no_interval() -> None:
    assert np.isnan(middle(resampled_kendall([1, 1, 1], [1, 2, 3]))).all()
