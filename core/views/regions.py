"""Regions that somebody draws on a chart with the box or the lasso, and what lies in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import InvalidInput


@dataclass(frozen=True)
class Region:
    """A region that somebody has drawn on a chart of two objectives, in drawn units.

    Attributes:
        x, y: corners of a polygon in order; a box has two, opposite ones.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]


def inside(region: Region, x: ArrayLike, y: ArrayLike) -> NDArray[np.bool_]:
    """(n,) whether points lie in a region; those on the edge of a box do, a NaN never does.

    Args:
        region: a box or a polygon; where a polygon crosses itself, what lies in an odd number of its loops is inside.
        x, y: (n,) points in drawn units.

    Raises:
        InvalidInput: a region has fewer than two corners, or x and y differ in number.
    """
    across, up = np.asarray(x, float), np.asarray(y, float)
    if len(region.x) != len(region.y) or len(region.x) < 2:
        raise InvalidInput("A region has at least two corners.")
    if len(region.x) == 2:
        low_x, high_x = sorted(region.x)
        low_y, high_y = sorted(region.y)
        return (across >= low_x) & (across <= high_x) & (up >= low_y) & (up <= high_y)
    found = np.zeros(across.shape, bool)
    corners = list(zip(region.x, region.y, strict=True))
    for (x1, y1), (x2, y2) in zip(corners, [*corners[1:], corners[0]], strict=True):
        if y1 != y2:  # a ray to the right crosses this edge
            crosses = (up < y1) != (up < y2)
            found ^= crosses & (across < x1 + (up - y1) * (x2 - x1) / (y2 - y1))
    return found
