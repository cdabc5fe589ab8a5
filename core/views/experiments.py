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
    """Group rows by condition and x.

    Accuracy on training images is shown for the first condition alone, as a curve of its own: it says when the
    network knew its data. A condition measured at one x only (a dense network among sparse ones) is drawn across. A seed that stopped
    early, because it had got there, keeps its last value.
    """
    first = rows[0].condition if rows else ""
    named: dict[str, dict[int, dict[float, float]]] = {}
    for row in rows:
        if row.split == "train" and row.condition != first:
            continue
        label = f"{row.condition}, training images" if row.split == "train" else row.condition
        named.setdefault(label, {}).setdefault(row.seed, {})[row.x] = row.y
    grids = {label: sorted({x for at in seeds.values() for x in at}) for label, seeds in named.items()}
    several = [x for grid in grids.values() if len(grid) > 1 for x in grid]
    xs, parts = [], []
    for label, seeds in named.items():
        grid = grids[label]
        columns = [
            [at[x] if x in at else at[max(at)] for at in seeds.values() if x in at or x > max(at)]
            for x in grid
        ]
        values = [np.array([f(column) for column in columns], float) for f in (np.mean, min, max)]
        if len(grid) == 1 and several:
            grid, values = [min(several), max(several)], [np.repeat(v, 2) for v in values]
        xs.append(np.array(grid, float))
        parts.append(values)
    return Curves(tuple(named), tuple(xs), *(tuple(p[k] for p in parts) for k in range(3)))
