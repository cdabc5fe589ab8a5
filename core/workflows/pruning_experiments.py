"""Rows of an experiment as curves: the mean over seeds, and from the lowest to the highest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.pruning.experiments.base import Row


@dataclass(frozen=True, eq=False)
class Curves:
    """Curves of an experiment.

    Attributes:
        conditions: in the order of their first row.
        x: per condition, ascending.
        mean, low, high: over the seeds, at each x.
    """

    conditions: tuple[str, ...]
    x: tuple[NDArray[np.float64], ...]
    mean: tuple[NDArray[np.float64], ...]
    low: tuple[NDArray[np.float64], ...]
    high: tuple[NDArray[np.float64], ...]


def curves(rows: Sequence[Row]) -> Curves:
    """Group rows by condition and x."""
    conditions = tuple(dict.fromkeys(row.condition for row in rows))
    xs, parts = [], []
    for condition in conditions:
        at: dict[float, list[float]] = {}
        for row in rows:
            if row.condition == condition:
                at.setdefault(row.x, []).append(row.y)
        order = sorted(at)
        xs.append(np.array(order, float))
        parts.append([np.array([f(at[x]) for x in order], float) for f in (np.mean, min, max)])
    return Curves(conditions, tuple(xs), *(tuple(p[k] for p in parts) for k in range(3)))
