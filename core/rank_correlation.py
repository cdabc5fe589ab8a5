"""Rank correlations with ties, without the second that importing a statistics package takes."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray


def spearman(a: ArrayLike, b: ArrayLike) -> float | None:
    """Correlation of the ranks, ties at their mean rank; None for fewer than two values or a constant.

    Args:
        a, b: (n,) finite values of the same things.

    Source:
        Spearman, "The proof and measurement of association between two things", 1904.
    """
    ranks = [mean_ranks(values) for values in (a, b)]
    one, other = (each - each.mean() if len(each) else each for each in ranks)
    scale = math.sqrt(float(one @ one) * float(other @ other))
    return float(one @ other) / scale if scale else None


def kendall(a: ArrayLike, b: ArrayLike) -> float | None:
    """Kendall's tau-b: pairs in the same order minus pairs in opposite order, of the pairs not tied; None as above.

    Args:
        a, b: (n,) finite values of the same things.

    Source:
        Kendall, "The treatment of ties in ranking problems", Biometrika 1945; opposite pairs are counted as
        inversions, as Knight 1966 does.
    """
    one, other = (
        np.unique(np.asarray(values, float), return_inverse=True)[1].reshape(-1) for values in (a, b)
    )
    n = len(one)
    pairs = n * (n - 1) // 2
    both = np.unique(np.stack([one, other]), axis=1, return_counts=True)[1] if n else np.zeros(0, np.int64)
    tied_a, tied_b, tied_both = (_pairs(counts) for counts in (np.bincount(one), np.bincount(other), both))
    # Pairs that tie in the first are in order of the second here, so they are no inversions.
    opposite = _inversions(other[np.lexsort((other, one))])
    same = pairs - tied_a - tied_b + tied_both - opposite
    scale = math.sqrt(float(pairs - tied_a) * float(pairs - tied_b))
    return (same - opposite) / scale if scale else None


def mean_ranks(values: ArrayLike) -> NDArray[np.float64]:
    """(n,) ranks from 1 on, ties at their mean rank."""
    _, which, counts = np.unique(np.asarray(values, float), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    means: NDArray[np.float64] = (last - (counts - 1) / 2)[which.reshape(-1)]
    return means


def _pairs(counts: NDArray[np.int64]) -> int:
    return int((counts * (counts - 1) // 2).sum())


def _inversions(ranks: NDArray[np.int64]) -> int:
    """Pairs of which the larger comes first, bit by bit: they agree above a bit, and it is 1 before it is 0."""
    found, top = 0, int(ranks.max(initial=0)).bit_length()
    for bit in range(top):
        grouped = ranks[np.argsort(ranks >> (bit + 1), kind="stable")]
        one, group = (grouped >> bit) & 1, grouped >> (bit + 1)
        before = np.cumsum(one) - one
        first = np.searchsorted(group, group)
        found += int((before - before[first])[one == 0].sum())
    return found
