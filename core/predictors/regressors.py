"""What predictors share that are a scikit-learn regressor on the encoding."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from core.config import BaseConfig
from core.predictors.base import Predicted, Predictor
from core.predictors.encodings import Encoding, Standardized
from core.predictors.folds import folds_of
from core.predictors.scales import Scale
from core.spaces import Archs

_FOLDS = 3


class ByRegressor(Predictor):
    """Fits a regressor to standardized columns and values.

    The deviation it gives is one for all: the root mean square of what regressors of its kind left over on rows that
    they had not seen, a third at a time. They had learned from fewer rows, so it is rather too wide.

    Attributes:
        products: whether the encoding holds products of group summaries, for those that do not find them by themselves.
    """

    products: ClassVar[bool] = False

    def __init__(self, config: BaseConfig | None = None, **given: Any) -> None:
        super().__init__(config, **given)
        self._encoding = Encoding(self.space, products=self.products)

    @abstractmethod
    def make(self, n: int) -> Any:
        """A fresh regressor for n rows with `fit` and `predict`; the same one every time."""

    def fit(
        self, rows: Archs, values: NDArray[np.float64], beside: NDArray[np.float64] | None = None
    ) -> None:
        columns = some(self._encoding.fit(rows, beside))
        self._standardized = Standardized(columns)
        self._scale = Scale.of(self.objective, values)
        x, y = self._standardized(columns), self._scale.learned(values)
        self._regressor = self.make(len(y)).fit(x, y)
        self._deviation = self._left_over(x, y)

    def _left_over(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
        if len(y) < 2 * _FOLDS:
            return 1.0
        folds = folds_of(len(y), _FOLDS, self.seed)
        missed = np.empty(len(y))
        for fold in range(_FOLDS):
            out = folds == fold
            missed[out] = y[out] - self.make(int((~out).sum())).fit(x[~out], y[~out]).predict(x[out])
        return float(np.sqrt(np.mean(missed**2)))

    def predict(self, rows: Archs, beside: NDArray[np.float64] | None = None) -> Predicted:
        x = self._standardized(some(self._encoding(rows, beside)))
        return self._scale.said(self._regressor.predict(x), np.full(len(rows), self._deviation))


def some(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """The columns, or one of zeros where a space has none: it has one architecture."""
    return columns if columns.shape[1] else np.zeros((len(columns), 1))
