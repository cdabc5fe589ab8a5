"""Linear regression: how much of one layer can the other predict?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.similarity.base import INVARIANCES, MEASURES, Measure, Undefined
from core.similarity.cca import NOTHING, basis
from core.similarity.centering import squared_norms, unit_norm
from core.similarity.moments import Moments


@dataclass(frozen=True, eq=False)
class Regressed:
    """One layer in both parts it may play.

    Attributes:
        target: (n, p), centered and of norm one: what is predicted.
        predictor: (n, r) orthonormal basis of what the layer can predict.
    """

    target: NDArray[np.float64]
    predictor: NDArray[np.float64]


@MEASURES.register("linear_regression")
class LinearRegression(Measure):
    """Share of the first layer's variance that a linear map of the second explains (R2)."""

    label = "Linear regression (R2 of A from B)"
    source = "Kornblith et al., ICML 2019, section 4; Yamins et al., PNAS 2014"
    symmetric = False
    left = frozenset({"permutation", "scale", "translation", "orthogonal"})
    right = frozenset(INVARIANCES)
    ignores = (
        "Anything the second layer holds beyond what the first needs: a layer that contains the other "
        "predicts it perfectly, and not the other way round."
    )
    distrust = (
        "It is measured on the samples that the map was fitted to: a second layer of q units explains about "
        "q/n of anything, so read it against the value for shuffled samples."
    )

    def least_samples(self, p: int, q: int) -> int:
        return q + 2

    def prepare(self, x: NDArray[np.float64]) -> Regressed:
        target = unit_norm(x)
        return Regressed(target, basis(target)[0])

    def shuffled(self, prepared: Regressed, order: NDArray[np.intp]) -> Regressed:
        return Regressed(prepared.target[order], prepared.predictor[order])

    def compare(self, a: Regressed, b: Regressed) -> float:
        return float(self.matrix([a], [b])[0, 0])

    def matrix(self, rows: Sequence[Regressed], columns: Sequence[Regressed]) -> NDArray[np.float64]:
        # The residual of X on an orthonormal basis V has norm |X|^2 - |V^T X|^2, and |X| is 1.
        values = squared_norms([a.target for a in rows], [b.predictor for b in columns])
        return np.minimum(values, 1)

    def from_moments(self, moments: Moments) -> float:
        if moments.n < (least := self.least_samples(moments.p, moments.q)):
            raise Undefined(f"{self.label} needs at least {least:,} samples; there are {moments.n:,}.")
        xx, yy, xy = moments.varying()
        values, vectors = np.linalg.eigh(yy)
        kept = values > NOTHING**2 * values[-1]
        explained = np.sum((xy @ vectors[:, kept]) ** 2 / values[kept])
        return min(float(explained / np.trace(xx)), 1.0)
