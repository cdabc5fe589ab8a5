"""Intervals of measured accuracies: of one subnet, and of the difference of two on the same samples.

One subnet: the samples are taken as independent draws. Two subnets see the same samples, and only those on which they
disagree tell them apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

LEVEL = 0.95
"""Share of intervals that hold the truth, where nothing else is said."""
ALPHA = 1 - LEVEL
_MOST_SAMPLES = 1_000_000
_ENOUGH_VALUES = 256


@dataclass(frozen=True)
class Interval:
    """Where a number may lie."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True)
class PairedTest:
    """Two subnets on the same samples.

    Attributes:
        only_a, only_b: samples that only the first, only the second got right.
        n: samples.
        difference: accuracy of the first minus that of the second.
        interval: of the difference.
        p: two-sided mid-p of McNemar's exact test.
        exact_p: the same without the correction, never too small and usually much too large.
    """

    only_a: int
    only_b: int
    n: int
    difference: float
    interval: Interval
    p: float
    exact_p: float

    @property
    def differs(self) -> bool:
        """Whether the test tells them apart at 5 %."""
        return self.p < ALPHA


@lru_cache(maxsize=32)
def normal_quantile(level: float) -> float:
    """How many standard deviations to either side hold this share of a normal distribution."""
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    return NormalDist().inv_cdf((1 + level) / 2)


def wilson(
    correct: ArrayLike, n: int, *, level: float = LEVEL
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Wilson's score interval of proportions: (low, high), each of the shape of `correct`.

    Its coverage is near the level on average; it is never empty and never leaves [0, 1].

    Args:
        correct: successes.
        n: trials of each.
        level: share of intervals that hold the truth.

    Raises:
        ValueError: n is not positive, or there are more successes than trials.

    Source:
        Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927; recommended by
        Brown, Cai, DasGupta, "Interval estimation for a binomial proportion", Statistical Science 16, 2001.
    """
    return score_interval(_share(correct, n), n, level=level)


def score_interval(
    share: NDArray[np.float64], n: float, *, level: float = LEVEL
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`wilson` of shares that are known otherwise, and of any positive number of samples."""
    z2 = normal_quantile(level) ** 2
    center = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    # Rounding must not keep an interval from its own value at the ends.
    return np.minimum(np.maximum(center - half, 0.0), share), np.maximum(
        np.minimum(center + half, 1.0), share
    )


def clopper_pearson(
    correct: ArrayLike, n: int, *, level: float = LEVEL
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The exact interval of proportions, whose coverage is nowhere below the level, and therefore mostly above.

    Args, Raises:
        as `wilson`.

    Source:
        Clopper, Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
        Biometrika 26, 1934.
    """
    from scipy.special import betaincinv

    given, tail = _share(correct, n) * n, (1 - level) / 2
    low = np.where(given > 0, betaincinv(np.maximum(given, 1), n - given + 1, tail), 0.0)
    high = np.where(given < n, betaincinv(given + 1, np.maximum(n - given, 1), 1 - tail), 1.0)
    return low, high


def _share(correct: ArrayLike, n: int) -> NDArray[np.float64]:
    given = np.asarray(correct, dtype=np.float64)
    if n < 1 or (given < 0).any() or (given > n).any():
        raise ValueError(f"there must be between 0 and n = {n} successes")
    return given / n


def compare(a: ArrayLike, b: ArrayLike, *, level: float = LEVEL) -> PairedTest:
    """Whether two subnets differ, and by how much.

    Args:
        a, b: (n,) whether each sample was right.
        level: of the interval.

    Raises:
        ValueError: the two have not the same samples.
    """
    first, second = np.asarray(a, bool), np.asarray(b, bool)
    if first.shape != second.shape or first.ndim != 1 or not len(first):
        raise ValueError(
            f"both must be right or wrong on the same samples, got {first.shape} and {second.shape}"
        )
    only_a, only_b = int((first & ~second).sum()), int((second & ~first).sum())
    return paired(only_a, only_b, len(first), level=level)


def paired(only_a: int, only_b: int, n: int, *, level: float = LEVEL) -> PairedTest:
    """`compare` from its counts."""
    p, exact_p = mcnemar(only_a, only_b)
    return PairedTest(
        only_a, only_b, n, (only_a - only_b) / n, _difference(only_a, only_b, n, level), p, exact_p
    )


@lru_cache(maxsize=8192)
def mcnemar(only_a: int, only_b: int) -> tuple[float, float]:
    """(mid-p, exact p), two-sided, of McNemar's test on the samples on which two subnets disagree.

    Given how many samples only one of two equally good subnets gets right, the first has a Binomial(m, 1/2) share of
    them. The exact test never rejects equal pairs more often than it says; because the counts are whole numbers it
    rejects far less often, here 2 to 3 % instead of 5. The mid-p counts the outcome itself by half, which brings
    it to 4 to 5 % (measured in tests/chance).

    Source:
        McNemar, Psychometrika 12, 1947; Fagerland, Lydersen, Laake, "The McNemar test for binary matched-pairs data:
        mid-p and asymptotic are better than exact conditional", BMC Medical Research Methodology 13, 2013.
    """
    m, least = only_a + only_b, min(only_a, only_b)
    if m == 0:
        return 1.0, 1.0
    tail = _binomial_tail(least, m)
    exact = min(1.0, 2 * tail)
    # With equal counts the outcome stands on both sides, and half of it on each.
    here = _binomial_at(least, m)
    mid = 1.0 - 0.5 * here if only_a == only_b else exact - here
    return min(1.0, mid), exact


def _binomial_at(k: int, m: int) -> float:
    return math.exp(math.lgamma(m + 1) - math.lgamma(k + 1) - math.lgamma(m - k + 1) - m * math.log(2))


def _binomial_tail(k: int, m: int) -> float:
    return min(1.0, sum(_binomial_at(i, m) for i in range(k + 1)))


def _difference(only_a: int, only_b: int, n: int, level: float) -> Interval:
    """The interval of the paired difference of Bonett and Price ("Adjusted Wald confidence interval for a difference of
    binomial proportions based on paired data", J. Educational and Behavioral Statistics 37, 2012)."""
    up, down = (only_a + 1) / (n + 2), (only_b + 1) / (n + 2)
    half = normal_quantile(level) * math.sqrt((up + down - (up - down) ** 2) / (n + 2))
    return Interval(max(-1.0, up - down - half), min(1.0, up - down + half))


def split_shift(first: ArrayLike, second: ArrayLike, *, level: float = LEVEL) -> tuple[float, Interval]:
    """How much harder or easier other samples are for all subnets together: (difference of the means, its interval).

    Where the interval does not hold 0, the two splits differ by more than chance, and what was found on one of them is
    no forecast for the other.

    Args:
        first, second: share of the subnets that get each sample right, of either split.
        level: of the interval.

    Raises:
        ValueError: a split has fewer than two samples.

    Source:
        Welch's interval for two means, with the normal quantile.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.ndim != 1 or b.ndim != 1 or min(len(a), len(b)) < 2:
        raise ValueError(f"both splits need two samples at least, got {a.shape} and {b.shape}")
    difference = float(b.mean() - a.mean())
    half = normal_quantile(level) * math.sqrt(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b))
    return difference, Interval(difference - half, difference + half)


def samples_behind(shares: Iterable[float]) -> int | None:
    """How many samples accuracies were measured on, read off the accuracies; None where they are no such shares.

    Every accuracy is a whole number of samples by their number. The smallest number that makes all of them whole is
    that number, or, where few accuracies are known, a divisor of it: then intervals are too wide, never too narrow.
    """
    n = 1
    distinct = np.unique(np.asarray(list(shares), dtype=np.float64))
    finite = distinct[np.isfinite(distinct)]
    if not len(finite) or finite[0] < 0 or finite[-1] > 1:
        return None
    for value in finite[:_ENOUGH_VALUES].tolist():
        found = Fraction(value).limit_denominator(_MOST_SAMPLES)
        if abs(float(found) - value) > 1e-12:
            return None
        if (n := math.lcm(n, found.denominator)) > _MOST_SAMPLES:
            return None
    return n if n > 1 else None
