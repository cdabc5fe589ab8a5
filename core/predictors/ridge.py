"""Ridge regression: linear in the encoding, as smooth as generalized cross-validation says."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.config import BaseConfig
from core.predictors.base import PREDICTORS, Predicted, Predictor
from core.predictors.encodings import Encoding, Standardized
from core.predictors.scales import Scale
from core.spaces import Archs

# Of the mean squared singular value.
_STRENGTHS = np.logspace(-4, 3, 50)
# Smaller penalties, which would leave hardly any freedom to judge them by, are not looked at.
_MOST_FREEDOM = 0.8


@PREDICTORS.register("ridge")
class Ridge(Predictor):
    """Linear regression with a penalty that generalized cross-validation chooses; one decomposition, milliseconds.

    The deviation it gives is that of a new measurement: what the coefficients leave open, plus what the fit left over.
    """

    label = "Ridge regression"
    source = "Golub, Heath, Wahba, 'Generalized cross-validation as a method for choosing a good ridge parameter', 1979"

    class Config(BaseConfig):
        products: bool = Field(
            True, description="Also learn from products of group summaries: what choices do together"
        )

    def __init__(self, config: BaseConfig | None = None, **given: Any) -> None:
        super().__init__(config, **given)
        self._encoding = Encoding(self.space, products=self.config.products)

    def fit(
        self, rows: Archs, values: NDArray[np.float64], beside: NDArray[np.float64] | None = None
    ) -> None:
        columns = self._encoding.fit(rows, beside)
        self._standardized = Standardized(columns)
        self._scale = Scale.of(self.objective, values)
        x, y = self._standardized(columns), self._scale.learned(values)
        u, s, self._directions = np.linalg.svd(x, full_matrices=False)
        along, squared = u.T @ y, s**2
        n = len(y)
        penalties = _STRENGTHS * max(float(squared.sum()) / n, 1e-12)
        shrunk = squared / (squared + penalties[:, None])
        left = np.maximum(y @ y - ((2 - shrunk) * shrunk) @ along**2, 1e-12 * n)
        freedom = 1 + shrunk.sum(axis=1)
        allowed = freedom <= max(_MOST_FREEDOM * n, freedom.min())
        best = int(np.argmin(np.where(allowed, left / np.maximum(n - freedom, 0.1) ** 2, np.inf)))
        self._penalty = float(penalties[best])
        self._kept = shrunk[best]
        self._slope = self._directions.T @ (s / (squared + self._penalty) * along)
        self._noise = float(left[best] / max(n - freedom[best], 1.0))
        self._samples = n

    def predict(self, rows: Archs, beside: NDArray[np.float64] | None = None) -> Predicted:
        x = self._standardized(self._encoding(rows, beside))
        open_ = (x**2).sum(axis=1) - (x @ self._directions.T) ** 2 @ self._kept
        spread = self._noise * (1 + 1 / self._samples + np.maximum(open_, 0.0) / self._penalty)
        return self._scale.said(x @ self._slope, np.sqrt(spread))
