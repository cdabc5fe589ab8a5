"""Linear regression: how much of one layer can the other predict?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.similarity.base import INVARIANCES, MEASURES, Measure, Undefined
from core.similarity.cca import NOTHING, basis
from core.similarity.centering import reduced, squared_norms, unit_norm
from core.similarity.moments import Moments


@dataclass(frozen=True, eq=False)
class Regressed:
    """One layer in both parts it may play.

    Attributes:
        target: (n, p), centered and of norm one: what is predicted.
        predictor: (n, r) orthonormal basis of what the layer can predict; None where it has so many units
            that it predicts anything.
    """

    target: NDArray[np.float64]
    predictor: NDArray[np.float64] | None


@MEASURES.register("linear_regression")
class LinearRegression(Measure):
    """Share of the first layer's variance that a linear map of the second explains (R2)."""

    label = "Linear regression (R2 of A from B)"
    most_units = 768
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
        n, q = x.shape
        target = unit_norm(x)
        return Regressed(reduced(target), basis(target) if n >= q + 2 else None)

    def shuffled(self, prepared: Regressed, order: NDArray[np.intp]) -> Regressed:
        predictor = prepared.predictor
        return Regressed(prepared.target[order], None if predictor is None else predictor[order])

    def compare(self, a: Regressed, b: Regressed) -> float:
        if b.predictor is None:
            raise Undefined(
                f"{len(b.target)} samples are too few: a layer with as many units or more predicts anything."
            )
        return float(self.matrix([a], [b])[0, 0])

    def matrix(self, rows: Sequence[Regressed], columns: Sequence[Regressed]) -> NDArray[np.float64]:
        # The residual of X on an orthonormal basis V has norm |X|^2 - |V^T X|^2, and |X| is 1.
        values = np.full((len(rows), len(columns)), math.nan)
        able = [j for j, b in enumerate(columns) if b.predictor is not None]
        predictors = [v for b in columns if (v := b.predictor) is not None]
        values[:, able] = np.minimum(squared_norms([a.target for a in rows], predictors), 1)
        return values

    def from_moments(self, moments: Moments) -> float:
        if moments.n < (least := self.least_samples(moments.p, moments.q)):
            raise Undefined(f"{self.label} needs at least {least:,} samples; there are {moments.n:,}.")
        xx, yy, xy = moments.varying()
        values, vectors = np.linalg.eigh(yy)
        kept = values > NOTHING**2 * values[-1]
        explained = np.sum((xy @ vectors[:, kept]) ** 2 / values[kept])
        return min(float(explained / np.trace(xx)), 1.0)
