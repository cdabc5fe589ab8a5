"""Intervals and the paired test hold what they promise, counted out where that is possible."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from core.chance.intervals import (
    clopper_pearson,
    compare,
    mcnemar,
    normal_quantile,
    paired,
    samples_behind,
    split_shift,
    wilson,
)

SHARES = np.linspace(0.5, 0.985, 98)


def coverage(interval, n: int, level: float) -> np.ndarray:
    """Of each true share: the probability that its interval holds it, by summing over all outcomes."""
    low, high = interval(np.arange(n + 1), n, level=level)
    chances = stats.binom.pmf(np.arange(n + 1)[:, None], n, SHARES)
    return (chances * ((low[:, None] <= SHARES) & (high[:, None] >= SHARES))).sum(0)


@pytest.mark.parametrize("n", [120, 359, 2000])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_wilson_holds_the_truth_as_often_as_it_says(n: int, level: float) -> None:
    held = coverage(wilson, n, level)
    assert held.mean() == pytest.approx(level, abs=0.005)
    # 93 to 97 % for a 95 % interval, but for single shares: counts are whole numbers.
    assert (np.abs(held - level) <= 0.4 * (1 - level)).mean() >= 0.95
    assert np.abs(held - level).max() < 0.06


@pytest.mark.parametrize("n", [10, 120, 359])
def test_clopper_and_pearson_never_hold_less(n: int) -> None:
    assert coverage(clopper_pearson, n, 0.95).min() >= 0.95
    assert coverage(clopper_pearson, n, 0.95).mean() > coverage(wilson, n, 0.95).mean()


def test_both_equal_their_published_forms() -> None:
    """Against SciPy, which has its own code for both."""
    for correct, n in ((0, 20), (1, 20), (19, 20), (20, 20), (341, 359), (7, 12)):
        for interval, name in ((wilson, "wilson"), (clopper_pearson, "exact")):
            theirs = stats.binomtest(correct, n).proportion_ci(0.95, method=name)
            low, high = interval([correct], n)
            assert (low[0], high[0]) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_an_interval_holds_its_own_value_and_stays_within_0_and_1() -> None:
    for n in (1, 2, 359):
        correct = np.arange(n + 1)
        low, high = wilson(correct, n)
        assert (low <= correct / n).all()
        assert (correct / n <= high).all()
        assert low.min() >= 0
        assert high.max() <= 1
        assert (low < high).all()


@pytest.mark.parametrize(("correct", "n"), [([3], 2), ([-1], 2), ([0], 0)])
def test_counts_that_cannot_be_are_refused(correct: list[int], n: int) -> None:
    with pytest.raises(ValueError, match="successes"):
        wilson(correct, n)


# --- two subnets --------------------------------------------------------------------------------


def rejected(n: int, disagree: float, which: int, alpha: float = 0.05) -> float:
    """How often the test tells equal subnets apart that disagree on a share of the samples; summed over all outcomes."""
    total = 0.0
    for m in range(n + 1):
        if (chance := stats.binom.pmf(m, n, disagree)) > 1e-7:
            b = np.arange(m + 1)
            low = np.array([mcnemar(int(k), m - int(k))[which] < alpha for k in b])
            total += chance * float(stats.binom.pmf(b, m, 0.5)[low].sum())
    return total


@pytest.mark.parametrize(("n", "disagree"), [(359, 0.06), (359, 0.12), (359, 0.25), (1000, 0.05)])
def test_equal_subnets_are_told_apart_in_4_to_6_of_100(n: int, disagree: float) -> None:
    assert 0.04 <= rejected(n, disagree, 0) <= 0.06


def test_without_the_correction_the_test_would_tell_apart_too_seldom() -> None:
    """Why the mid-p is taken: the exact p promises 5 % and rejects 3."""
    assert rejected(359, 0.06, 1) < 0.04


def test_the_paired_test_is_the_binomial_one() -> None:
    for b, c in ((0, 0), (0, 5), (5, 0), (4, 4), (12, 5), (40, 63), (200, 260)):
        mid, exact = mcnemar(b, c)
        assert exact == pytest.approx(stats.binomtest(b, b + c).pvalue if b + c else 1.0)
        here = float(stats.binom.pmf(b, b + c, 0.5))
        assert mid == pytest.approx(exact - here if b != c else 1 - here / 2 if b else 1.0)
        assert mcnemar(b, c) == mcnemar(c, b)


@pytest.mark.parametrize(
    ("n", "up", "down"), [(359, 0.05, 0.03), (359, 0.03, 0.03), (359, 0.02, 0.005), (2000, 0.06, 0.04)]
)
def test_the_interval_of_the_difference_holds_the_truth(n: int, up: float, down: float) -> None:
    rng = np.random.default_rng(0)
    counts = rng.multinomial(n, [up, down, 1 - up - down], size=1500)
    found = [paired(int(a), int(b), n) for a, b in counts[:, :2]]
    held = np.mean([up - down in each.interval for each in found])
    assert 0.93 <= held <= 0.97


def test_two_subnets_are_compared_on_the_samples_they_disagree_on() -> None:
    a, b = np.zeros(100, bool), np.zeros(100, bool)
    a[:80] = True
    b[10:70] = True
    found = compare(a, b)
    assert (found.only_a, found.only_b, found.n) == (20, 0, 100)
    assert found.difference == pytest.approx(0.2)
    assert found.differs
    assert found.p < 1e-4
    turned = compare(b, a)
    assert turned.difference == -found.difference
    assert (turned.interval.low, turned.interval.high) == pytest.approx(
        (-found.interval.high, -found.interval.low)
    )
    assert not compare(a, a).differs
    with pytest.raises(ValueError, match="same samples"):
        compare(a, b[:50])


def test_quantiles() -> None:
    assert normal_quantile(0.95) == pytest.approx(stats.norm.ppf(0.975))
    with pytest.raises(ValueError, match="level"):
        normal_quantile(1.0)


# --- how many samples there were ----------------------------------------------------------------


@pytest.mark.parametrize("n", [7, 120, 359, 360, 2000, 49999])
def test_the_number_of_samples_is_read_off_the_accuracies(n: int) -> None:
    rng = np.random.default_rng(n)
    correct = rng.integers(n // 2, n + 1, 400)
    assert samples_behind(correct / n) == n


@pytest.mark.parametrize("shares", [[], [math.nan], [0.5, math.pi - 3], [1.2], [-0.1], [1.0]])
def test_numbers_that_are_no_shares_of_samples_say_nothing(shares: list[float]) -> None:
    assert samples_behind(shares) is None


def test_two_splits_that_differ_by_more_than_chance_are_told() -> None:
    rng = np.random.default_rng(0)
    easy = rng.beta(8, 1, (400, 300))
    held = [0.0 in split_shift(a, b)[1] for a, b in zip(easy[:200], easy[200:], strict=True)]
    assert 0.92 <= np.mean(held) <= 0.98
    difference, ends = split_shift(easy[0], easy[1] - 0.1)
    assert difference == pytest.approx(-0.1, abs=0.03)
    assert ends.high < 0
    with pytest.raises(ValueError, match="two samples"):
        split_shift([0.5], [0.1, 0.2])
