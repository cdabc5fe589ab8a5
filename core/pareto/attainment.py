"""Attainment surfaces: what a search algorithm reaches in its best, median and worst seed.

One run gives one front; several seeds give several, and averaging fronts means nothing. The
empirical attainment function says for every place in objective space which fraction of the runs
reached it or better. The places reached by at least k of r runs have a staircase boundary, the
k-th attainment surface: k = 1 is the best any seed did, k = r what every seed did.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import moocore
import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.pareto.dominance import non_dominated
from core.pareto.points import as_costs, as_signs, widened


@dataclass(frozen=True)
class AttainmentSurfaces:
    """Three surfaces over the same runs, each a (k, m) array of corners in objective units.

    Attributes:
        best: reached by at least one run.
        median: reached by at least half of the runs.
        worst: reached by every run.
    """

    best: NDArray[np.float64]
    median: NDArray[np.float64]
    worst: NDArray[np.float64]


def attainment_surfaces(runs: Sequence[ArrayLike], *, maximize: Sequence[bool]) -> AttainmentSurfaces:
    """Return the best, median and worst attainment surface of several runs.

    Args:
        runs: one (n_i, m) array of objective values per seed; see `attainment_surface`.
        maximize: m flags, True where larger is better.

    Raises:
        ValueError: as for `attainment_surface`.
    """
    return AttainmentSurfaces(
        best=attainment_surface(runs, maximize=maximize, fraction=1 / max(len(runs), 1)),
        median=attainment_surface(runs, maximize=maximize, fraction=0.5),
        worst=attainment_surface(runs, maximize=maximize, fraction=1.0),
    )


def attainment_surface(
    runs: Sequence[ArrayLike], *, maximize: Sequence[bool], fraction: float
) -> NDArray[np.float64]:
    """Return the corners of the region that at least a given fraction of the runs reached.

    Args:
        runs: one (n_i, m) array of objective values per seed, in their own units, 1 to 3 objectives.
            Dominated points and points with a NaN do not matter; a run without a point counts as
            one that reached nothing. Not modified.
        maximize: m flags, True where larger is better.
        fraction: above 0, at most 1; rounded up to whole runs, so 0.5 of 5 runs are 3 runs.

    Returns:
        (k, m) array of corners, none dominating another, sorted by the first objective (ascending),
        then the next. Empty if too few runs have a point.

    Raises:
        ValueError: no runs, wrong shapes, more than three objectives, or a fraction out of range.

    Example:
        >>> runs = [[[1.0, 3.0]], [[2.0, 2.0]], [[3.0, 1.0]]]
        >>> attainment_surface(runs, maximize=[False, False], fraction=0.5)
        array([[2., 3.],
               [3., 2.]])

    Source:
        Grunert da Fonseca, Fonseca, Hall, "Inferential performance assessment of stochastic
        optimisers and the attainment function", EMO 2001; Fonseca et al., "On the computation of
        the empirical attainment function", EMO 2011; computed by moocore.
    """
    signs = as_signs(maximize)
    if not runs:
        raise ValueError("attainment surfaces need at least one run")
    if len(signs) > 3:
        raise ValueError(f"attainment surfaces exist here for up to 3 objectives, got {len(signs)}")
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction must be above 0 and at most 1, got {fraction}")
    # The small slack keeps 0.1 * 30 = 3.0000000000000004 from becoming 4 runs.
    level = max(1, math.ceil(fraction * len(runs) - 1e-9))
    fronts = [front for front in (_front_costs(run, maximize) for run in runs) if len(front)]
    if level > len(fronts):
        return np.empty((0, len(signs)))
    run_of_row = np.repeat(np.arange(len(fronts)), [len(front) for front in fronts])
    rows = np.concatenate(fronts)
    # Corners are made of coordinates of the input, so dense ranks stand in for the values and are
    # translated back without rounding; this also keeps infinities away from moocore.
    scales, codes = zip(*(np.unique(column, return_inverse=True) for column in rows.T), strict=True)
    # Half a run below the wanted level, since moocore rounds up.
    percentile = 100 * (level - 0.5) / len(fronts)
    corners = moocore.eaf(widened(np.column_stack(codes).astype(float)), run_of_row, percentiles=[percentile])
    places = corners[:, : len(signs)].astype(int)
    costs = np.column_stack([scale[place] for scale, place in zip(scales, places.T, strict=True)])
    surface: NDArray[np.float64] = np.unique(costs * signs, axis=0)
    return surface


def _front_costs(run: ArrayLike, maximize: Sequence[bool]) -> NDArray[np.float64]:
    costs = as_costs(run, maximize)
    return costs[non_dominated(costs, maximize=[False] * costs.shape[1])]
