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
        orders: int = Field(
            4,
            ge=1,
            le=64,
            description="Orders of the columns that answers are averaged over: none means anything",
        )

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
        drawn = stream(self.seed, "pfn", "columns")
        self._orders = [drawn.permutation(x.shape[1]) for _ in range(self.config.orders)]

    def _columns(self, rows: Archs, beside: NDArray[np.float64] | None) -> NDArray[np.float64]:
        x = encoded(self.space, rows)
        if beside is not None and self._low is not None:
            x = np.concatenate([x, np.clip((beside - self._low) / self._range, -0.5, 1.5)], axis=1)
        return fitting(x, self._weights.features)

    def predict(self, rows: Archs, beside: NDArray[np.float64] | None = None) -> Predicted:
        x = self._columns(rows, beside)
        width = self._weights.features
        said = [
            predict(self._weights, spread_out(known[:, by], width), values, spread_out(x[:, by], width))
            for known, values in self._contexts
            for by in self._orders
        ]
        means = np.stack([mean for mean, _ in said])
        variances = np.stack([variance for _, variance in said])
        # A mixture: its variance holds what the answers disagree by.
        variance = np.maximum(variances.mean(axis=0) + means.var(axis=0), 0.0)
        return self._scale.said(means.mean(axis=0), np.sqrt(variance))
