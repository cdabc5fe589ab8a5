"""Do two layers learn the same units? Correlations between units, and the best one-to-one matching.

After Li, Yosinski et al., "Convergent Learning: Do different neural networks learn the same
representations?", ICLR 2016. A dead unit (constant on the samples) correlates with nothing: such units are
listed apart and never matched.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from core.errors import InvalidInput
from core.seeding import stream
from core.similarity.base import Undefined, as_activations, different_rows

# A unit whose spread is below this share of its size is constant up to rounding.
_ROUNDING = 1e-7


@dataclass(frozen=True, eq=False)
class UnitCorrelations:
    """Pearson correlations between the live units of two layers.

    Attributes:
        values: (live_a, live_b) correlations.
        live_a, live_b: unit numbers of rows and columns.
        dead_a, dead_b: unit numbers that are constant on the samples.
    """

    values: NDArray[np.float64]
    live_a: NDArray[np.intp]
    live_b: NDArray[np.intp]
    dead_a: NDArray[np.intp]
    dead_b: NDArray[np.intp]

    def of(self, unit_a: int, unit_b: int) -> float:
        """Correlation of two units; 0 if one of them is dead."""
        i, j = np.flatnonzero(self.live_a == unit_a), np.flatnonzero(self.live_b == unit_b)
        return float(self.values[i[0], j[0]]) if len(i) and len(j) else 0.0


@dataclass(frozen=True, eq=False)
class Matching:
    """Which unit of B stands for which unit of A. Rows and columns are those of the correlations.

    Attributes:
        greedy: (live_a,) the most correlated column of each row; one column may serve many rows.
        greedy_values: its correlations.
        rows, columns: (min(live_a, live_b),) the one-to-one matching of largest total correlation.
        values: its correlations.
    """

    greedy: NDArray[np.intp]
    greedy_values: NDArray[np.float64]
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    values: NDArray[np.float64]

    @property
    def mean(self) -> float:
        """Mean correlation of the one-to-one matching."""
        return float(self.values.mean())

    @property
    def greedy_mean(self) -> float:
        """Mean correlation with the best partner; at least `mean` where A has no more units than B."""
        return float(self.greedy_values.mean())


def live_units(x: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(p,) whether each unit varies over the samples."""
    live: NDArray[np.bool_] = x.std(0) > _ROUNDING * np.maximum(np.abs(x).max(0), 1e-300)
    return live


def standardized(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Units without mean and with unit norm; every unit must be live."""
    moved = x - x.mean(0)
    norms = np.linalg.norm(moved, axis=0)
    return np.asarray(moved / norms)


def unit_correlations(x: ArrayLike, y: ArrayLike) -> UnitCorrelations:
    """Correlate every unit of one layer with every unit of another.

    Args:
        x: (n, p) activations.
        y: (n, q) activations of the same samples.

    Raises:
        Undefined: the layers have different rows, fewer than 3, or one has no live unit.
        InvalidInput: activations are not finite or not two-dimensional.
    """
    a, b = as_activations(x), as_activations(y)
    if len(a) != len(b):
        raise Undefined(different_rows(len(a), len(b)))
    if len(a) < 3:
        raise Undefined(f"A correlation needs at least 3 samples; there are {len(a)}.")
    live = [live_units(a), live_units(b)]
    if not live[0].any() or not live[1].any():
        raise Undefined("Every unit of this layer is constant on these samples.")
    values = np.clip(standardized(a[:, live[0]]).T @ standardized(b[:, live[1]]), -1.0, 1.0)
    return UnitCorrelations(
        values, *(np.flatnonzero(mask) for mask in live), *(np.flatnonzero(~mask) for mask in live)
    )


def match(correlations: NDArray[np.float64]) -> Matching:
    """Match units by their correlations, greedily and one to one.

    Args:
        correlations: (p, q), at least one of each.

    Raises:
        InvalidInput: there are no units.

    Source:
        Li et al., 2016, section 3.1: semi-matching and bipartite matching; the assignment is solved exactly.
    """
    if not correlations.size:
        raise InvalidInput("There are no units to match.")
    greedy = correlations.argmax(1)
    rows, columns = linear_sum_assignment(correlations, maximize=True)
    return Matching(
        greedy, correlations[np.arange(len(correlations)), greedy], rows, columns, correlations[rows, columns]
    )


def chance_match(x: ArrayLike, y: ArrayLike, *, permutations: int = 10, seed: int = 0) -> tuple[float, float]:
    """Mean and standard deviation of the one-to-one matched correlation when samples do not belong together.

    It is far from zero for few samples or many units: among many columns the best of noise looks good.

    Raises:
        Undefined: as `unit_correlations`.
    """
    a, b = as_activations(x), as_activations(y)
    found = unit_correlations(a, b)
    left, right = standardized(a[:, found.live_a]), standardized(b[:, found.live_b])
    means = []
    for k in range(permutations):
        order = stream(seed, "chance match", k).permutation(len(right))
        shuffled = left.T @ right[order]
        rows, columns = linear_sum_assignment(shuffled, maximize=True)
        means.append(float(shuffled[rows, columns].mean()))
    return float(np.mean(means)), float(np.std(means, ddof=1)) if permutations > 1 else 0.0


def matched_order(matching: Matching, shape: tuple[int, int]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns so that matched pairs come first, best first, on the diagonal; the rest follows."""
    best = np.argsort(-matching.values, kind="stable")
    rows, columns = matching.rows[best], matching.columns[best]
    return (
        np.concatenate([rows, np.setdiff1d(np.arange(shape[0]), rows)]),
        np.concatenate([columns, np.setdiff1d(np.arange(shape[1]), columns)]),
    )


def top_samples(x: ArrayLike, unit: int, k: int = 9) -> NDArray[np.intp]:
    """Rows of the k samples that excite a unit most, largest first; equal activations in their own order."""
    column = as_activations(x)[:, unit]
    return np.argsort(-column, kind="stable")[:k]
