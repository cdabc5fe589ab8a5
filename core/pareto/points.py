"""From what callers hand over to what the algorithms need: checked costs, smaller is better.

Every public function of this package starts here, so shape errors read the same everywhere and
no algorithm below has to think about directions. Turning a value into a cost flips signs only,
which is exact, and always makes a new array, so the caller's stays as it was.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray


def as_signs(maximize: Sequence[bool]) -> NDArray[np.float64]:
    """Return (m,) factors that turn values into costs: -1 where larger is better, else 1.

    Raises:
        ValueError: `maximize` is a single flag, empty, or not made of flags.
    """
    flags = np.asarray(maximize)
    if flags.ndim != 1 or len(flags) == 0:
        raise ValueError(f"maximize must be one flag per objective, got {maximize!r}")
    if not np.isin(flags, (0, 1)).all():
        raise ValueError(f"maximize must hold True or False only, got {maximize!r}")
    return np.where(flags.astype(bool), -1.0, 1.0)


def as_costs(points: ArrayLike, maximize: Sequence[bool]) -> NDArray[np.float64]:
    """Return the (n, m) points as a new array in which smaller is better in every column.

    Raises:
        ValueError: `points` is not two-dimensional or `maximize` has the wrong length.
    """
    signs = as_signs(maximize)
    values = np.asarray(points, dtype=float)
    if values.ndim != 2 or values.shape[1] != len(signs):
        raise ValueError(f"points must be (n, {len(signs)}), got {values.shape}")
    return values * signs


def as_cost_reference(reference: ArrayLike, maximize: Sequence[bool]) -> NDArray[np.float64]:
    """Return the (m,) reference point as costs.

    Raises:
        ValueError: wrong length, or a coordinate is NaN or infinite.
    """
    signs = as_signs(maximize)
    values = np.asarray(reference, dtype=float)
    if values.shape != signs.shape:
        raise ValueError(f"reference must have {len(signs)} coordinates, got shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"reference must be finite, got {values}")
    return values * signs


def widened(costs: NDArray[np.float64], fill: float = 0.0) -> NDArray[np.float64]:
    """Give a single objective a second, constant one, because moocore starts at two.

    A column that is equal everywhere changes no dominance relation; against a reference of 1 a
    column of zeros multiplies every volume by exactly 1.
    """
    if costs.shape[-1] != 1:
        return costs
    return np.concatenate([costs, np.full_like(costs, fill)], axis=-1)
