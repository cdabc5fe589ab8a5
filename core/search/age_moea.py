"""AGE-MOEA on architectures: the shape of the front decides how closeness and spread are measured.

The survival score is written anew with NumPy: pymoo's compiles itself for seconds when it is first used. A test
compares the two on single fronts; of a later front that is cut, pymoo's (0.6.2) knows no scores and takes the last rows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.pareto import ranks
from core.search.base import ALGORITHMS
from core.search.evolution import SelectingEvolution

_TINY = 1e-8
_STRAIGHT, _SHARPEST = 0.1, 20.0


@ALGORITHMS.register("age_moea")
class AGEMOEA(SelectingEvolution):
    """Evolves a population whose spread is measured in the geometry that its own front has."""

    label = "AGE-MOEA"
    source = "Panichella, 'An adaptive evolutionary algorithm based on non-Euclidean geometry for many-objective optimization', GECCO 2019"

    def _select(self, costs: NDArray[np.float64], n: int) -> NDArray[np.int64]:
        layers = ranks(costs, maximize=[False] * costs.shape[1]) - 1
        last = int(np.sort(layers)[min(n, len(costs)) - 1])
        shifted = costs - costs[layers == 0].min(axis=0)
        scores = np.zeros(len(costs))
        with np.errstate(all="ignore"):
            scores[layers == 0], p, scale = survival_scores(shifted[layers == 0])
            later = (layers > 0) & (layers <= last)
            scores[later] = 1 / _norms(shifted[later] / scale, p)
        rows = np.flatnonzero(layers < last)
        cut = np.flatnonzero(layers == last)
        rows = np.concatenate([rows, cut[np.argsort(scores[cut])[::-1][: n - len(rows)]]])
        self._ranks, self._crowding = layers[rows].astype(float), scores[rows]
        return rows


def survival_scores(front: NDArray[np.float64]) -> tuple[NDArray[np.float64], float, NDArray[np.float64]]:
    """Scores of a front's members (larger survives), the exponent of its geometry, and the scale of its objectives.

    Args:
        front: (n, m) costs of members that do not dominate each other, 0 the least in every column.

    Source:
        Algorithms 2 and 3 of the paper, in the order of computation of pymoo's.
    """
    n, m = front.shape
    if n < m:
        return np.zeros(n), 1.0, _positive(front.max(axis=0))
    corners = _corners(front)
    scale = _intercepts(front, corners)
    front = front / scale
    p = _exponent(front, corners)
    lengths = _norms(front, p)
    lengths[lengths < _TINY] = 1.0
    between = np.stack([_norms(front - member, p) for member in front])
    between = np.maximum(between, _TINY) / lengths[:, None]
    scores = np.zeros(n)
    scores[corners] = np.inf
    rest = np.setdiff1d(np.arange(n), corners)
    # The two smallest distances of each of the others to what was chosen.
    nearest = np.sort(between[np.ix_(np.unique(corners), rest)], axis=0)[:2]
    if len(nearest) < 2:
        nearest = np.concatenate([nearest, np.full((1, len(rest)), np.inf)])
    while len(rest):
        both = np.where(np.isinf(nearest[1]), nearest[0], nearest.sum(axis=0))
        at = int(both.argmax())
        scores[rest[at]] = both[at]
        new, rest, nearest = rest[at], np.delete(rest, at), np.delete(nearest, at, axis=1)
        nearest = np.sort(np.concatenate([nearest, between[new, rest][None]]), axis=0)[:2]
    return scores, p, scale


def _norms(rows: NDArray[np.float64], p: float) -> NDArray[np.float64]:
    return np.asarray(np.sum(np.abs(rows) ** p, axis=1) ** (1 / p))


def _positive(scale: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(scale > 0, scale, 1.0)


def _from_line(points: NDArray[np.float64], direction: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared distances of (n, m) points to the line from the origin in a direction."""
    along = points @ direction / (direction @ direction)
    return np.asarray(((points - along[:, None] * direction) ** 2).sum(axis=1))


def _corners(front: NDArray[np.float64]) -> NDArray[np.int64]:
    """The member nearest to each axis, each once."""
    n, m = front.shape
    if n <= m:
        return np.arange(n)
    found: list[int] = []
    for axis in np.eye(m) + 1e-6:
        distances = _from_line(front, axis)
        distances[found] = np.inf
        found.append(int(distances.argmin()))
    return np.array(found)


def _intercepts(front: NDArray[np.float64], corners: NDArray[np.int64]) -> NDArray[np.float64]:
    """Where the plane through the corners meets the axes; the largest values where there is no such plane."""
    largest = _positive(front.max(axis=0))
    if len(corners) != front.shape[1]:
        return largest
    try:
        plane = np.linalg.solve(front[corners], np.ones(front.shape[1]))
    except np.linalg.LinAlgError:
        return largest
    return 1 / plane if np.isfinite(1 / plane).all() and (plane > 0).all() else largest


def _exponent(front: NDArray[np.float64], corners: NDArray[np.int64]) -> float:
    """p of the norm in which the member in the middle is as far as the corners; 1 for a straight front."""
    distances = _from_line(front, np.ones(front.shape[1]))
    distances[corners] = np.inf
    middle = front[int(distances.argmin())].mean()
    p = float(np.log(front.shape[1]) / np.log(1 / middle))
    return 1.0 if np.isnan(p) or p <= _STRAIGHT else min(p, _SHARPEST)
