"""Who beats whom: the front and the layers behind it.

moocore computes both in C. Two of its limits are handled here and nowhere else (version 0.3.2): with
three objectives it crashes the process when a value is minus infinity, and it needs two columns.
Dominance depends only on the order within each column, so infinite columns are replaced by their
dense ranks, which keeps the answer and makes every number finite.
"""

from __future__ import annotations

from collections.abc import Sequence

import moocore
import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.pareto.points import as_costs, widened

_MANY = 20_000
_SAMPLE = 4_000


def non_dominated(points: ArrayLike, *, maximize: Sequence[bool]) -> NDArray[np.bool_]:
    """Mark the points that no other point dominates.

    A point dominates another when it is at least as good in every objective and better in
    one. Of identical points none dominates the others, so all copies of a front point are
    marked. A point with a NaN is never marked: an unfinished measurement is not on the front.

    Args:
        points: (n, m) array, one row per architecture, one column per objective, each in
            the objective's own unit. May be empty; is not modified.
        maximize: m flags, True where larger is better.

    Returns:
        (n,) boolean array.

    Raises:
        ValueError: `points` is not two-dimensional or `maximize` has the wrong length.

    Example:
        >>> non_dominated([[0.90, 12.0], [0.88, 9.0], [0.87, 10.0]], maximize=[True, False])
        array([ True,  True, False])

    Source:
        Kung, Luccio, Preparata, "On finding the maxima of a set of vectors", J. ACM 1975;
        computed by moocore.
    """
    costs = as_costs(points, maximize)
    mask = _complete_rows(costs)
    if mask.any():
        mask[mask] = _first_layer(_comparable(costs[mask]))
    return mask


def _first_layer(costs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the (n,) costs that no other dominates."""
    left = _not_ruled_out(costs) if len(costs) >= _MANY and costs.shape[1] == 2 else slice(None)
    marked = np.zeros(len(costs), bool)
    marked[left] = moocore.is_nondominated(costs[left], keep_weakly=True)
    return marked


def _not_ruled_out(costs: NDArray[np.float64]) -> NDArray[np.int64]:
    """Positions of those of many (n, 2) costs that may be on the front, found without sorting all of them.

    The front of every k-th point is a staircase; what lies behind it is dominated. A point of the staircase stays, so
    whatever it rules out is still beaten by a point that is looked at.
    """
    some = costs[:: len(costs) // _SAMPLE]
    stairs = some[moocore.is_nondominated(some)]
    stairs = stairs[np.argsort(stairs[:, 0], kind="stable")]
    across, up = np.ascontiguousarray(costs[:, 0]), np.ascontiguousarray(costs[:, 1])
    before = np.searchsorted(stairs[:, 0], across, side="right")
    highest = np.concatenate([[np.inf], stairs[:, 1]])[before]
    return np.flatnonzero(up <= highest)


def ranks(points: ArrayLike, *, maximize: Sequence[bool]) -> NDArray[np.int64]:
    """Number the layers of fronts: 1 is the front, 2 the front once layer 1 is taken away, ...

    Equal points share a rank. A point with a NaN gets 0, which means "not ranked", not "best".

    Args:
        points: (n, m) array of objective values in their own units. May be empty; is not modified.
        maximize: m flags, True where larger is better.

    Returns:
        (n,) integer array.

    Raises:
        ValueError: `points` is not two-dimensional or `maximize` has the wrong length.

    Example:
        >>> ranks([[0.90, 12.0], [0.88, 9.0], [0.87, 10.0]], maximize=[True, False])
        array([1, 1, 2])

    Source:
        Deb et al., "A fast and elitist multiobjective genetic algorithm: NSGA-II", 2002;
        in two objectives Jensen's O(n log n) algorithm, 2003; computed by moocore.
    """
    costs = as_costs(points, maximize)
    result = np.zeros(len(costs), dtype=np.int64)
    known = _complete_rows(costs)
    if known.any():
        result[known] = moocore.pareto_rank(_comparable(costs[known])) + 1
    return result


def _complete_rows(costs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the (n,) rows without NaN; column by column, as numpy is slow along short rows."""
    complete = np.ones(len(costs), dtype=bool)
    for column in costs.T:
        complete &= ~np.isnan(column)
    return complete


def _comparable(costs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n, max(m, 2)) finite costs with the same order in every column as `costs`."""
    if np.isfinite(costs).all():
        return widened(costs)
    for column in np.flatnonzero(np.isinf(costs).any(axis=0)):
        costs[:, column] = np.unique(costs[:, column], return_inverse=True)[1]
    return widened(costs)
