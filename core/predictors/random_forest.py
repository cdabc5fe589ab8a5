"""A random forest; its trees' disagreement says where it knows little."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from sklearn.ensemble import RandomForestRegressor

from core.config import BaseConfig
from core.predictors.base import PREDICTORS, Predicted, Predictor
from core.predictors.encodings import Encoding
from core.predictors.regressors import some
from core.predictors.scales import Scale
from core.seeding import stream
from core.spaces import Archs

_SMALL = 1e-6


@PREDICTORS.register("random_forest")
class RandomForest(Predictor):
    """The mean of trees grown on resamples; the deviation is the trees' disagreement, scaled to the rows each left out."""

    label = "Random forest"
    source = "Breiman, 'Random forests', 2001; scikit-learn"

    class Config(BaseConfig):
        trees: int = Field(100, ge=10, le=5000, description="Number of trees")
        leaf: int = Field(1, ge=1, le=100, description="Fewest rows in a leaf")
        columns: float = Field(0.5, gt=0, le=1, description="Share of the columns that each question may use")

    def __init__(self, config: BaseConfig | None = None, **given: Any) -> None:
        super().__init__(config, **given)
        self._encoding = Encoding(self.space, products=False)

    def fit(
        self, rows: Archs, values: NDArray[np.float64], beside: NDArray[np.float64] | None = None
    ) -> None:
        x = some(self._encoding.fit(rows, beside))
        self._scale = Scale.of(self.objective, values)
        y = self._scale.learned(values)
        self._forest = RandomForestRegressor(
            n_estimators=self.config.trees,
            min_samples_leaf=self.config.leaf,
            max_features=self.config.columns,
            bootstrap=True,
            n_jobs=1,
            random_state=int(stream(self.seed, "random_forest").integers(2**31)),
        ).fit(x, y)
        self._widened = self._calibrated(x, y)

    def _trees(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """(trees, n) what each tree says."""
        small = x.astype(np.float32)
        return np.stack([tree.predict(small) for tree in self._forest.estimators_])

    def _calibrated(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
        """How many times the disagreement of trees that had not seen a row is what they missed it by."""
        said = self._trees(x)
        unseen = np.ones_like(said, bool)
        for tree, rows in enumerate(self._forest.estimators_samples_):
            unseen[tree, rows] = False
        counts = unseen.sum(axis=0)
        told = counts >= 2
        if told.sum() < 2:
            return 1.0
        said = np.where(unseen, said, 0.0)[:, told]
        mean = said.sum(axis=0) / counts[told]
        spread = (np.where(unseen[:, told], said - mean, 0.0) ** 2).sum(axis=0) / counts[told]
        return float(np.sqrt(np.mean((y[told] - mean) ** 2) / (spread.mean() + _SMALL)))

    def predict(self, rows: Archs, beside: NDArray[np.float64] | None = None) -> Predicted:
        said = self._trees(some(self._encoding(rows, beside)))
        deviation = self._widened * np.sqrt(said.var(axis=0) + _SMALL)
        return self._scale.said(said.mean(axis=0), deviation)
