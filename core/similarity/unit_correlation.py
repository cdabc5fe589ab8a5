"""Hard and soft matching: does each unit of one layer have a twin in the other?

The measures that do look at single units: a rotated layer holds the same information in other units,
and here that counts as different. The pages show the matching itself; this is its one number.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from core.similarity.base import MEASURES, Measure, Undefined
from core.similarity.centering import cross_products, standardized
from core.similarity.moments import Moments

MOST_UNITS = 2_048
"""Above this, matching one pair of layers takes longer than a person waits."""

SHIFTS = frozenset({"permutation", "scale", "translation"})


def standardized_units(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, p) activations as units of norm one; constant units are left out.

    Raises:
        Undefined: no unit varies, or there are too many.
    """
    if x.shape[1] > MOST_UNITS:
        raise Undefined(
            f"Units can be matched one by one up to {MOST_UNITS:,}; this layer has {x.shape[1]:,}. "
            "Average over positions instead."
        )
    return standardized(x)


def streamed_correlations(moments: Moments) -> NDArray[np.float64]:
    """(p, q) correlations of units that vary."""
    xx, yy, xy = moments.varying(least=3)
    correlations: NDArray[np.float64] = xy / np.sqrt(np.outer(np.diag(xx), np.diag(yy)))
    return correlations


def hard_match(correlations: NDArray[np.float64]) -> float:
    """Mean correlation of the best one-to-one assignment, over the units of the narrower layer."""
    rows, columns = linear_sum_assignment(correlations, maximize=True)
    return float(np.clip(correlations[rows, columns].mean(), -1, 1))


def soft_match(correlations: NDArray[np.float64]) -> float:
    """Mean over units of the largest correlation with any unit of the other layer, both ways averaged."""
    both = (correlations.max(axis=1).mean() + correlations.max(axis=0).mean()) / 2
    return float(np.clip(both, -1, 1))


@MEASURES.register("hard_match")
class HardMatch(Measure):
    """Mean correlation of units after the best one-to-one matching."""

    label = "Unit matching (one to one)"
    most_units = 768
    source = "Li et al., 'Convergent learning', ICLR 2016 (bipartite matching)"
    low = -1.0
    left = right = SHIFTS
    ignores = (
        "The order of units and their sizes; constant units are left out, and so are the wider layer's rest."
    )
    distrust = (
        "Two layers with the same information in rotated units look different, and wide layers find chance "
        "partners; with few samples look at the value for shuffled samples."
    )

    def least_samples(self, p: int, q: int) -> int:
        return 3

    def prepare(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return standardized_units(x)

    def shuffled(self, prepared: NDArray[np.float64], order: NDArray[np.intp]) -> NDArray[np.float64]:
        return prepared[order]

    def compare(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
        return hard_match(a.T @ b)

    def matrix(
        self, rows: Sequence[NDArray[np.float64]], columns: Sequence[NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        values = np.zeros((len(rows), len(columns)))
        for i, j, correlations in cross_products(rows, columns):
            values[i, j] = hard_match(correlations)
        return values

    def from_moments(self, moments: Moments) -> float:
        return hard_match(streamed_correlations(moments))


@MEASURES.register("soft_match")
class SoftMatch(Measure):
    """Mean correlation of units with their best partner, which several may share."""

    label = "Unit matching (best partner)"
    most_units = 768
    source = "Li et al., 'Convergent learning', ICLR 2016 (semi-matching, averaged over both directions)"
    low = -1.0
    left = right = SHIFTS
    ignores = "The order of units and their sizes, and whether partners are taken twice; constant units are left out."
    distrust = (
        "Many units may share one partner, so a layer of copies scores well; compare with one-to-one "
        "matching: the gap is made of units whose twin is already taken."
    )

    def least_samples(self, p: int, q: int) -> int:
        return 3

    def prepare(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return standardized_units(x)

    def shuffled(self, prepared: NDArray[np.float64], order: NDArray[np.intp]) -> NDArray[np.float64]:
        return prepared[order]

    def compare(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
        return soft_match(a.T @ b)

    def matrix(
        self, rows: Sequence[NDArray[np.float64]], columns: Sequence[NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        values = np.zeros((len(rows), len(columns)))
        for i, j, correlations in cross_products(rows, columns):
            values[i, j] = soft_match(correlations)
        return values

    def from_moments(self, moments: Moments) -> float:
        return soft_match(streamed_correlations(moments))
