"""Procrustes and the angular shape metric: how far apart are two layers after the best rotation?

Both are functions of one number, the nuclear norm of X^T Y for layers centered and of norm one, and both
obey the triangle inequality, so that maps and trees made from them are legitimate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.similarity.base import MEASURES, Measure
from core.similarity.centering import cross_products, reduced, unit_norm
from core.similarity.moments import Moments, nuclear_norm

TURNS = frozenset({"permutation", "scale", "translation", "orthogonal"})


def overlaps(
    rows: Sequence[NDArray[np.float64]], columns: Sequence[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """(rows, columns) of |X^T Y|_*, at most 1, for layers centered and of norm one."""
    values = np.zeros((len(rows), len(columns)))
    for i, j, product in cross_products(rows, columns):
        values[i, j] = nuclear_norm(product)
    return np.minimum(values, 1)


def streamed_overlap(moments: Moments) -> float:
    """|X^T Y|_* from covariances."""
    xx, yy, xy = moments.varying(least=3)
    return min(nuclear_norm(xy) / math.sqrt(np.trace(xx) * np.trace(yy)), 1.0)


@MEASURES.register("procrustes")
class Procrustes(Measure):
    """Distance that remains after the best rotation, of layers centered and of norm one."""

    label = "Procrustes distance"
    most_units = 768
    source = "Schönemann, Psychometrika 1966; Ding, Denain, Steinhardt, NeurIPS 2021"
    kind = "distance"
    high = math.sqrt(2)
    identical = 0.0
    metric = True
    left = right = TURNS
    ignores = "Rotations and reflections of a layer, its overall size and shifts."
    distrust = (
        "A layer whose variance lies in few directions is far from one that spreads it over many, even if each "
        "predicts the other; and with few samples per unit unrelated layers come close."
    )

    def least_samples(self, p: int, q: int) -> int:
        return 3

    def prepare(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return reduced(unit_norm(x))

    def shuffled(self, prepared: NDArray[np.float64], order: NDArray[np.intp]) -> NDArray[np.float64]:
        return prepared[order]

    def compare(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
        return float(self.matrix([a], [b])[0, 0])

    def matrix(
        self, rows: Sequence[NDArray[np.float64]], columns: Sequence[NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        distances: NDArray[np.float64] = np.sqrt(2 - 2 * overlaps(rows, columns))
        return distances

    def from_moments(self, moments: Moments) -> float:
        return math.sqrt(2 - 2 * streamed_overlap(moments))


@MEASURES.register("angular")
class AngularShapeMetric(Measure):
    """Angle between two layers after the best rotation, in radians."""

    label = "Angular shape metric"
    most_units = 768
    source = "Williams et al., 'Generalized shape metrics on neural representations', NeurIPS 2021"
    kind = "distance"
    high = math.pi / 2
    identical = 0.0
    metric = True
    left = right = TURNS
    ignores = Procrustes.ignores
    distrust = (
        "As with Procrustes, the number of strong directions and few samples move it; near zero it cannot tell less than 1e-8 from "
        "nothing, because an angle is the arc cosine of a number near one."
    )

    def least_samples(self, p: int, q: int) -> int:
        return 3

    def prepare(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return reduced(unit_norm(x))

    def shuffled(self, prepared: NDArray[np.float64], order: NDArray[np.intp]) -> NDArray[np.float64]:
        return prepared[order]

    def compare(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
        return float(self.matrix([a], [b])[0, 0])

    def matrix(
        self, rows: Sequence[NDArray[np.float64]], columns: Sequence[NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        angles: NDArray[np.float64] = np.arccos(overlaps(rows, columns))
        return angles

    def from_moments(self, moments: Moments) -> float:
        return math.acos(streamed_overlap(moments))
