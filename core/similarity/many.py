"""Many networks at once: how alike are all pairs of them, at one place or on average over several?

A place is prepared once per network and dropped before the next one, so what a measure needs (a matrix of all pairs of
samples, say) is held for one place at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.similarity.base import Measure, Undefined, as_activations, different_rows, too_few, too_wide


@dataclass(frozen=True, eq=False)
class PairMatrix:
    """What a measure says about every pair of networks.

    Attributes:
        values: (n, n), row A against column B; NaN where there is no value.
        reasons: (row, column) -> why there is none.
    """

    values: NDArray[np.float64]
    reasons: Mapping[tuple[int, int], str] = field(default_factory=dict)


def all_pairs(
    features: Callable[[int, int], ArrayLike | None], n: int, places: int, measure: Measure
) -> Iterator[float | PairMatrix]:
    """Compare all pairs of n networks; yields the share done, at last the matrix.

    Args:
        features: (network, place) -> (samples, units) activations, None where a network has no such place.
        n: networks.
        places: of which the values are averaged; a pair without a value at one of them has none.
        measure: of a symmetric one each pair is compared once.
    """
    total = np.zeros((n, n))
    reasons: dict[tuple[int, int], str] = {}
    for place in range(places):
        sides = [_Side(features(k, place), measure) for k in range(n)]
        for i in range(n):
            _row(total, reasons, sides, i, measure)
            yield (place + (i + 1) / n) / places
    values = total / max(places, 1)
    for i, j in reasons:
        values[i, j] = math.nan
    yield PairMatrix(values, reasons)


def _row(
    total: NDArray[np.float64],
    reasons: dict[tuple[int, int], str],
    sides: Sequence[_Side],
    i: int,
    measure: Measure,
) -> None:
    columns = range(i, len(sides)) if measure.symmetric else range(len(sides))
    why = {j: _reason(sides[i], sides[j], measure) for j in columns if (i, j) not in reasons}
    open_ = [j for j, reason in why.items() if not reason]
    if open_:
        found = measure.matrix([sides[i].prepared], [sides[j].prepared for j in open_])[0]
        for j, value in zip(open_, found.tolist(), strict=True):
            if math.isfinite(value):
                total[i, j] += value
            else:
                why[j] = _asked_again(measure, sides[i].prepared, sides[j].prepared)
    for j, reason in why.items():
        if reason:
            reasons[i, j] = reason
        if measure.symmetric and j != i:
            total[j, i] = total[i, j]
            if reason:
                reasons[j, i] = reason


class _Side:
    """One network at one place: what the measure made of it, or why it could not."""

    def __init__(self, x: ArrayLike | None, measure: Measure) -> None:
        self.prepared: Any = None
        self.n = self.units = 0
        self.problem = "This network has no layer of that name."
        if x is None:
            return
        array = as_activations(x)
        self.n, self.units = array.shape
        self.problem = too_wide(measure, self.units, 0)
        if not self.problem:
            try:
                self.prepared = measure.prepare(array)
            except Undefined as error:
                self.problem = str(error)


def _reason(a: _Side, b: _Side, measure: Measure) -> str:
    if a.problem or b.problem:
        return a.problem or b.problem
    if a.n != b.n:
        return different_rows(a.n, b.n)
    least = measure.least_samples(a.units, b.units)
    return too_few(measure, a.n, a.units, b.units, least=least) if a.n < least else ""


def _asked_again(measure: Measure, a: Any, b: Any) -> str:
    try:
        return f"{measure.label} is not a finite number here ({measure.compare(a, b)})."
    except Undefined as error:
        return str(error)


def clustered_order(values: ArrayLike, *, distance: bool) -> list[int]:
    """An order in which alike networks stand beside each other.

    Average linkage of the distances (of a similarity: how far below its largest value), turned so that
    neighbors are as alike as the tree allows. A pair without a value counts as the least alike pair; with fewer than
    three networks, or no value at all, the order stays.

    Args:
        values: (n, n), NaN where there is no value; an asymmetric matrix is averaged with its transpose.
        distance: whether smaller is more alike.

    Returns:
        n positions.

    Source:
        Bar-Joseph, Gifford and Jaakkola, "Fast optimal leaf ordering for hierarchical clustering", 2001; by SciPy.
    """
    given = np.asarray(values, dtype=np.float64)
    known = np.isfinite(given)
    if len(given) < 3 or not known.any():
        return list(range(len(given)))
    far = given if distance else given[known].max() - given
    far = np.where(known, far, far[known].max())
    far = (far + far.T) / 2
    np.fill_diagonal(far, 0.0)
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    condensed = np.maximum(squareform(far, checks=False), 0.0)
    return [int(k) for k in leaves_list(linkage(condensed, "average", optimal_ordering=True))]
