"""Hypervolume: one number for how good a whole front is, and its parts.

The hypervolume of a set is the volume of everything that some point of the set is at least as good
as, bounded by a reference point. It is the only common quality number that never prefers a dominated
set, but it depends on the reference point: keep one reference when comparing, and show it. Points
that are not strictly better than the reference in every objective add nothing.

Its unit is the product of the objectives' units.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import moocore
import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.pareto.dominance import non_dominated
from core.pareto.points import as_cost_reference, as_costs, as_signs, widened


def hypervolume(points: ArrayLike, reference: ArrayLike, *, maximize: Sequence[bool]) -> float:
    """Measure the volume between a set of points and a reference point.

    Args:
        points: (n, m) array of objective values in their own units. Dominated points, copies and
            points with a NaN add nothing. May be empty; is not modified.
        reference: (m,) finite coordinates, in the same units; usually a little worse than the front
            in every objective, see `reference_point`.
        maximize: m flags, True where larger is better.

    Returns:
        The volume, 0 if no point is strictly better than the reference in every objective, and
        infinity if one that is has an infinite coordinate. Exact up to rounding for any m; the
        time grows steeply beyond four objectives.

    Raises:
        ValueError: wrong shapes, or the reference is not finite.

    Example:
        >>> hypervolume([[0.9, 12.0], [0.8, 8.0]], [0.5, 20.0], maximize=[True, False])
        4.4

    Source:
        Zitzler and Thiele, "Multiobjective optimization using evolutionary algorithms", PPSN 1998;
        Guerreiro and Fonseca, "Computing and updating hypervolume contributions in up to four
        dimensions", 2018; computed by moocore.
    """
    costs, corner = as_costs(points, maximize), as_cost_reference(reference, maximize)
    return _volume(costs[(costs < corner).all(axis=1)], corner)


def exclusive_contributions(
    points: ArrayLike, reference: ArrayLike, *, maximize: Sequence[bool]
) -> NDArray[np.float64]:
    """Measure how much hypervolume each point holds alone: what would be lost by dropping it.

    Entry i is `hypervolume(points) - hypervolume(points without row i)`, with every other row kept.
    So copies have 0 (the other copy remains), dominated points have 0, and a dominated point close
    behind a front point lowers what the front point holds alone. moocore's default ignores the
    last effect; hand over the front only to do the same.

    Args:
        points: (n, m) array of objective values in their own units. May be empty; is not modified.
        reference: (m,) finite coordinates, in the same units.
        maximize: m flags, True where larger is better.

    Returns:
        (n,) array of volumes, 0 for points that have a NaN or are not strictly better than the
        reference.

    Raises:
        ValueError: wrong shapes, the reference is not finite, or a point better than the reference
            has an infinite coordinate (differences of infinite volumes mean nothing).

    Example:
        >>> exclusive_contributions([[3.0, 1.0], [1.0, 3.0]], [0.0, 0.0], maximize=[True, True])
        array([2., 2.])

    Source:
        Beume, Naujoks, Emmerich, "SMS-EMOA", 2007; computed by moocore.
    """
    costs, corner = as_costs(points, maximize), as_cost_reference(reference, maximize)
    inside = np.flatnonzero((costs < corner).all(axis=1))
    if not np.isfinite(costs[inside]).all():
        raise ValueError("a point with an infinite objective has no finite exclusive contribution")
    # Dropping one front point can only uncover the next layer, so the rest need not be looked at.
    minimize = [False] * costs.shape[1]
    first = non_dominated(costs[inside], maximize=minimize)
    second = non_dominated(np.where(first[:, None], np.nan, costs[inside]), maximize=minimize)
    rows = inside[first | second]
    result = np.zeros(len(costs))
    if len(rows):
        result[rows] = moocore.hv_contributions(
            widened(costs[rows]), widened(corner, fill=1.0), ignore_dominated=False
        )
    return result


def reference_point(
    points: ArrayLike, *, maximize: Sequence[bool], margin: float = 0.1
) -> NDArray[np.float64]:
    """Choose a reference point a little worse than the front: its nadir, moved out by a margin.

    The nadir holds the worst value of each objective *on the front* (not among all points). It is
    moved away from the front by `margin` times the front's range in that objective, so that the
    extreme points count too. Where the range is zero, the margin is taken of the nadir's
    magnitude, and where that is zero too, of 1.

    Args:
        points: (n, m) array of objective values in their own units; rows with a NaN or an infinity
            are left out. Is not modified.
        maximize: m flags, True where larger is better.
        margin: fraction of the range, 0 or more. With 0 the extreme points add no volume.

    Returns:
        (m,) coordinates in the objectives' own units.

    Raises:
        ValueError: wrong shapes, a negative margin, or no row without NaN and infinity.

    Example:
        >>> reference_point([[1.0, 30.0], [2.0, 10.0], [9.0, 99.0]], maximize=[False, False])
        array([ 2.1, 32. ])

    Source:
        Ishibuchi et al., "How to specify a reference point in hypervolume calculation", 2018.
    """
    if not margin >= 0 or not np.isfinite(margin):
        raise ValueError(f"margin must be 0 or more, got {margin}")
    costs = as_costs(points, maximize)
    costs = costs[np.isfinite(costs).all(axis=1)]
    if len(costs) == 0:
        raise ValueError("a reference point needs at least one row of finite values")
    front = costs[non_dominated(costs, maximize=[False] * costs.shape[1])]
    nadir = front.max(axis=0)
    span = nadir - front.min(axis=0)
    span = np.where(span > 0, span, np.where(nadir != 0, np.abs(nadir), 1.0))
    corner: NDArray[np.float64] = (nadir + margin * span) * as_signs(maximize)
    return corner


def hypervolume_over_time(
    points: ArrayLike, reference: ArrayLike, *, maximize: Sequence[bool]
) -> NDArray[np.float64]:
    """Measure the hypervolume after each evaluation, in the order the rows come.

    Entry i is `hypervolume(points[: i + 1])` up to rounding, so the last entry is that of the whole
    set; the curve never falls. Only a point that enters the front costs more than a comparison. With
    one or two objectives its gain is added (O(log n) per point plus one step per point it removes);
    with more the front's volume is computed again.

    Args:
        points: (n, m) array of objective values in their own units, first evaluation first. May be
            empty; is not modified.
        reference: (m,) finite coordinates, in the same units.
        maximize: m flags, True where larger is better.

    Returns:
        (n,) array of volumes.

    Raises:
        ValueError: wrong shapes, or the reference is not finite.

    Example:
        >>> hypervolume_over_time([[1, 1], [2, 1], [1, 1]], [0, 0], maximize=[True, True])
        array([1., 2., 2.])
    """
    costs, corner = as_costs(points, maximize), as_cost_reference(reference, maximize)
    inside = np.flatnonzero((costs < corner).all(axis=1))
    infinite = np.isinf(costs[inside]).any(axis=1)
    finite = inside[: infinite.argmax()] if infinite.any() else inside
    if costs.shape[1] <= 2:
        gains = _staircase_gains(widened(costs[finite]), widened(corner, fill=1.0))
    else:
        gains = _archive_gains(costs[finite], corner)
    result = np.zeros(len(costs))
    result[finite] = gains
    result = np.cumsum(result)
    if infinite.any():
        result[inside[infinite.argmax()] :] = np.inf
    return result


def _volume(inside: NDArray[np.float64], corner: NDArray[np.float64]) -> float:
    """Volume of (k, m) costs that are all strictly better than the (m,) corner."""
    if len(inside) == 0:
        return 0.0
    if np.isinf(inside).any():
        return float("inf")
    return float(moocore.hypervolume(widened(inside), widened(corner, fill=1.0)))


def _staircase_gains(costs: NDArray[np.float64], corner: NDArray[np.float64]) -> NDArray[np.float64]:
    """Area each (x, y) cost adds to the ones before it; all are strictly below the corner.

    The front so far is a staircase: x rising in `xs`, y falling in `ys`.
    """
    xs: list[float] = []
    ys: list[float] = []
    right_end, top_end = corner.tolist()
    gains = np.zeros(len(costs))
    for index, (x, y) in enumerate(costs.tolist()):
        start = stop = bisect_left(xs, x)
        if start and ys[start - 1] <= y:
            continue
        if start < len(xs) and xs[start] == x and ys[start] <= y:
            continue
        gain, left, top = 0.0, x, ys[start - 1] if start else top_end
        while stop < len(xs) and ys[stop] >= y:  # these are now dominated
            gain += (xs[stop] - left) * (top - y)
            left, top = xs[stop], ys[stop]
            stop += 1
        right = xs[stop] if stop < len(xs) else right_end
        gains[index] = gain + (right - left) * (top - y)
        xs[start:stop], ys[start:stop] = [x], [y]
    return gains


def _archive_gains(costs: NDArray[np.float64], corner: NDArray[np.float64]) -> NDArray[np.float64]:
    """Volume each (m,) cost adds to the ones before it; all are strictly below the corner."""
    archive = np.empty((0, len(corner)))
    volume = 0.0
    gains = np.zeros(len(costs))
    for index, cost in enumerate(costs):
        if (archive <= cost).all(axis=1).any():
            continue
        archive = np.vstack([archive[~(cost <= archive).all(axis=1)], cost])
        grown = _volume(archive, corner)
        gains[index] = max(grown - volume, 0.0)
        volume = max(grown, volume)
    return gains
