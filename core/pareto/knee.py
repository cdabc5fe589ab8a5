"""Knees: where giving up a little of one objective stops buying much of another.

There is no one knee; there are definitions, and they can disagree on the same front (a lesson shows
it). Two are offered. Both look at the front only, rescale each objective to 0 (best on the front) to
1 (worst on the front) so that units do not matter, leave out objectives that are constant on the
front, and count copies of a point once. Both return None rather than an arbitrary point where
their idea does not apply.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.pareto.dominance import non_dominated
from core.pareto.points import as_costs

# Scores below this are rounding, and scores closer than this are ties; objectives are scaled to 0-1.
_TOLERANCE = 1e-9
_MAX_WEIGHTS = 4096
_CELLS_AT_ONCE = 2_000_000


def knee_by_distance(points: ArrayLike, *, maximize: Sequence[bool]) -> int | None:
    """Find the front point farthest from the chord between the extreme points, on the good side.

    With two objectives the chord is the line between the best points of each. With more it is the
    plane through the best points of each; where these are fewer than m different points (the
    smallest net has both the fewest MACs and the fewest parameters), of all planes through them the
    one farthest from the ideal point, which treats the objectives they share alike.

    Args:
        points: (n, m) array of objective values in their own units, m >= 2 for a knee to exist.
            Rows with a NaN or an infinity are left out. May be empty; is not modified.
        maximize: m flags, True where larger is better.

    Returns:
        Row index of the knee (the first of copies and of ties), or None if there is none: fewer than
        three different front points, fewer than two objectives that vary on the front, a plane that
        does not count every objective in its favor, or no front point beyond the chord (a straight
        or concave front).

    Raises:
        ValueError: `points` is not two-dimensional or `maximize` has the wrong length.

    Example:
        >>> knee_by_distance([[0, 10], [1, 2], [4, 1], [9, 0]], maximize=[False, False])
        1

    Source:
        Das, "On characterizing the 'knee' of the Pareto curve based on normal-boundary
        intersection", Structural Optimization 1999. The paper solves for the farthest point of a
        continuous front along the plane's normal; here it is the farthest of the given points.
    """
    rows, front = _scaled_front(points, maximize)
    if len(front) < 3:
        return None
    extremes = front[_extremes(front)]
    # The plane is {x: normal . x = 1}; least squares gives the shortest normal through few points.
    normal = np.linalg.lstsq(extremes, np.ones(len(extremes)), rcond=None)[0]
    on_plane = np.abs(extremes @ normal - 1).max() < _TOLERANCE
    if not on_plane or normal.min() < _TOLERANCE:
        return None
    distances = (1 - front @ normal) / np.linalg.norm(normal)
    return _first_best(rows, distances)


def knee_by_utility(points: ArrayLike, *, maximize: Sequence[bool]) -> int | None:
    """Find the front point that people with unknown linear preferences would miss most.

    For a weighting of the objectives, the loss if a point were missing is how much worse the best
    remaining point is, and 0 unless the point itself is the best. The knee has the largest mean loss
    over all weightings, taken on an even grid of up to 4,096 of them. Extreme points are not
    candidates: some weighting always prefers them, on a straight front too.

    Args:
        points: (n, m) array of objective values in their own units, m >= 2 for a knee to exist.
            Rows with a NaN or an infinity are left out. May be empty; is not modified.
        maximize: m flags, True where larger is better.

    Returns:
        Row index of the knee (the first of copies and of ties), or None if there is none: fewer than
        three different front points, fewer than two objectives that vary on the front, or no point
        between the extremes that any weighting prefers (a straight or concave front).

    Raises:
        ValueError: `points` is not two-dimensional or `maximize` has the wrong length.

    Example:
        >>> knee_by_utility([[0, 10], [1, 2], [4, 1], [9, 0]], maximize=[False, False])
        1

    Source:
        Branke, Deb, Dierolf, Osswald, "Finding knees in multi-objective optimization", PPSN 2004
        (expected marginal utility). The paper samples weightings at random and keeps the extremes.
    """
    rows, front = _scaled_front(points, maximize)
    if len(front) < 3:
        return None
    losses = _expected_marginal_utility(front)
    losses[_extremes(front)] = 0.0
    return _first_best(rows, losses)


def _scaled_front(
    points: ArrayLike, maximize: Sequence[bool]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return (k,) row indices and (k, v) costs from 0 to 1 of the different front points.

    v counts the objectives that vary on the front; with fewer than two nothing is returned, because
    there is no trade-off. Rows keep their order.
    """
    costs = as_costs(points, maximize)
    finite = np.flatnonzero(np.isfinite(costs).all(axis=1))
    rows = finite[non_dominated(costs[finite], maximize=[False] * costs.shape[1])]
    if len(rows) == 0:
        return rows, np.empty((0, 2))
    rows = rows[np.sort(np.unique(costs[rows], axis=0, return_index=True)[1])]
    front = costs[rows]
    ideal, span = front.min(axis=0), np.ptp(front, axis=0)
    varies = span > 0
    if varies.sum() < 2:
        return rows[:0], np.empty((0, 2))
    return rows, (front[:, varies] - ideal[varies]) / span[varies]


def _extremes(front: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the best points of each objective; of several, those best in the others together."""
    best = front == 0  # scaled: 0 is the best value, and it is exact
    total = front.sum(axis=1)
    lowest = np.where(best, total[:, None], np.inf).min(axis=0)
    marked: NDArray[np.bool_] = (best & (total[:, None] <= lowest + _TOLERANCE)).any(axis=1)
    return marked


def _expected_marginal_utility(front: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over weightings of (second best - best) for the point that is best, (k, m) -> (k,)."""
    weights = _weightings(front.shape[1])
    result = np.zeros(len(front))
    step = max(1, _CELLS_AT_ONCE // len(front))  # bounds the memory of the (k, w) table
    for start in range(0, len(weights), step):
        costs = front @ weights[start : start + step].T
        best = costs.argmin(axis=0)
        lowest, second = np.partition(costs, 1, axis=0)[:2]
        np.add.at(result, best, second - lowest)
    return result / len(weights)


@lru_cache(maxsize=8)
def _weightings(m: int) -> NDArray[np.float64]:
    """Return an even grid of positive weightings of m objectives, each summing to 1.

    The simplex-lattice points (Scheffe, 1958) moved inwards by half a cell or so, as the midpoint
    rule does in one dimension: no objective has weight 0, where merely weakly best points tie.
    """
    divisions = 0
    while divisions < _MAX_WEIGHTS - 1 and comb(divisions + m, m - 1) <= _MAX_WEIGHTS:
        divisions += 1
    # Stars and bars: m - 1 bars among divisions + m - 1 places leave m runs of stars.
    bars = np.array(list(combinations(range(divisions + m - 1), m - 1)), dtype=float)
    ends = np.full((len(bars), 1), -1.0), np.full((len(bars), 1), divisions + m - 1.0)
    counts = np.diff(np.hstack([ends[0], bars, ends[1]]), axis=1) - 1
    return (counts + 1 / m) / (divisions + 1)


def _first_best(rows: NDArray[np.int64], scores: NDArray[np.float64]) -> int | None:
    """Row of the largest score, the first of ties; None if no score exceeds rounding."""
    if scores.max() <= _TOLERANCE:
        return None
    return int(rows[np.flatnonzero(scores >= scores.max() - _TOLERANCE)[0]])
