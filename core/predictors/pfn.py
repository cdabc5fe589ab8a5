"""A prior-fitted network as a predictor: it was trained once, on made-up spaces, and learns a new one by looking at it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.config import BaseConfig
from core.predictors.base import PREDICTORS, Predicted, Predictor
from core.predictors.prior_fitted.encoding import encoded, fitting, spread_out
from core.predictors.prior_fitted.forward import predict, shipped
from core.predictors.scales import Scale
from core.seeding import stream
from core.spaces import Archs


@PREDICTORS.register("pfn")
class PriorFittedNetwork(Predictor):
    """A transformer trained on made-up spaces reads the measured rows and answers; nothing is fitted any more.

    It was trained on contexts of up to 160 rows. More are divided at random, and the answers of the parts are averaged.
    """

    label = "Prior-fitted network"
    source = "Müller et al., 'PFNs4BO', ICML 2023; trained by this project (core/predictors/prior_fitted)"

    class Config(BaseConfig):
        parts: int = Field(8, ge=1, le=64, description="Contexts that many rows are divided into, at most")

    def fit(
        self, rows: Archs, values: NDArray[np.float64], beside: NDArray[np.float64] | None = None
    ) -> None:
        self._weights = shipped()
        self._low, self._range = None, None
        if beside is not None:
            self._low = beside.min(axis=0)
            self._range = np.maximum(beside.max(axis=0) - self._low, 1e-12)
        self._scale = Scale.of(self.objective, values)
        x, y = self._columns(rows, beside), self._scale.learned(values)
        most = self._weights.most
        order = stream(self.seed, "pfn", "parts").permutation(len(y))[: self.config.parts * most]
        self._contexts = [(x[part], y[part]) for part in np.array_split(order, -(-len(order) // most))]

    def _columns(self, rows: Archs, beside: NDArray[np.float64] | None) -> NDArray[np.float64]:
        x = encoded(self.space, rows)
        if beside is not None and self._low is not None:
            x = np.concatenate([x, np.clip((beside - self._low) / self._range, -0.5, 1.5)], axis=1)
        features = self._weights.features
        return spread_out(fitting(x, features), features)

    def predict(self, rows: Archs, beside: NDArray[np.float64] | None = None) -> Predicted:
        x = self._columns(rows, beside)
        said = [predict(self._weights, known, values, x) for known, values in self._contexts]
        means = np.stack([mean for mean, _ in said])
        variances = np.stack([variance for _, variance in said])
        # A mixture: its variance holds what the parts disagree by.
        variance = np.maximum(variances.mean(axis=0) + means.var(axis=0), 0.0)
        return self._scale.said(means.mean(axis=0), np.sqrt(variance))
