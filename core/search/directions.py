"""Evenly spread directions in the space of objectives, for searches that aim at each of them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from pymoo.util.reference_direction import das_dennis, scale_reference_directions


def directions(m: int, most: int) -> NDArray[np.float64]:
    """(k, m) directions with non-negative parts that sum to 1; k is as near to `most` as their grid allows.

    Where the grid is so coarse that it has points on its edge only, a second one of half the size lies inside it.

    Args:
        m: objectives.
        most: largest number of directions, at least 1; the m axes are there even if they are more.

    Source:
        Das and Dennis, "Normal-boundary intersection", SIAM J. Optimization 1998; the inner layer: Deb and Jain,
        IEEE TEC 2014, section V.
    """
    if m == 1:
        return np.ones((1, 1))
    outer = _partitions(m, most)
    grid = np.asarray(das_dennis(outer, m))
    inner = _partitions(m, most - len(grid)) if outer < m and most - len(grid) >= m else 0
    if inner:
        grid = np.concatenate([grid, scale_reference_directions(das_dennis(inner, m), 0.5)])
    return grid


def _partitions(m: int, most: int) -> int:
    """The finest grid with at most so many points; 1 where even that has more."""
    partitions = 1
    while math.comb(partitions + m, m - 1) <= most:
        partitions += 1
    return partitions
