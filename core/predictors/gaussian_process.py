"""A Gaussian process: what is near in options is near in value, and what is far is not known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, WhiteKernel

from core.config import BaseConfig
from core.predictors.base import PREDICTORS, Predicted, Predictor
from core.predictors.encodings import Encoding, Standardized
from core.predictors.regressors import some
from core.predictors.scales import Scale
from core.quiet import quiet
from core.seeding import stream
from core.spaces import Archs

_JITTER = 1e-8
_STEPS = 20


@PREDICTORS.register("gp")
class GaussianProcess(Predictor):
    """A linear trend, a smooth deviation from it and noise, as large as their likelihood says.

    What its kernel is made of is chosen by some of the rows, at random; with that kernel it then learns all of them,
    or, where there are more than it can hold, as many at random.
    """

    label = "Gaussian process"
    source = "Rasmussen and Williams, 'Gaussian processes for machine learning', 2006; scikit-learn"

    class Config(BaseConfig):
        chosen_by: int = Field(96, ge=8, le=1000, description="Rows that the kernel is chosen by")
        most: int = Field(600, ge=8, le=4000, description="Rows that are learned at most")

    def __init__(self, config: BaseConfig | None = None, **given: Any) -> None:
        super().__init__(config, **given)
        self._encoding = Encoding(self.space, products=False)

    def fit(
        self, rows: Archs, values: NDArray[np.float64], beside: NDArray[np.float64] | None = None
    ) -> None:
        columns = some(self._encoding.fit(rows, beside))
        # Standardized columns have about one unit of squared length each: lengths are measured against all together.
        self._standardized = Standardized(columns)
        self._size = float(np.sqrt(max(columns.shape[1], 1)))
        self._scale = Scale.of(self.objective, values)
        x, y = self._standardized(columns) / self._size, self._scale.learned(values)
        order = stream(self.seed, "gp", "rows").permutation(len(y))
        few, kept = np.sort(order[: self.config.chosen_by]), np.sort(order[: self.config.most])
        with quiet(ConvergenceWarning):  # a bound that is reached is an answer: no trend, or no noise
            chosen = GaussianProcessRegressor(_kernel(), alpha=_JITTER, optimizer=_few_steps).fit(
                x[few], y[few]
            )
        self._process = GaussianProcessRegressor(chosen.kernel_, alpha=_JITTER, optimizer=None)
        self._process.fit(x[kept], y[kept])

    def predict(self, rows: Archs, beside: NDArray[np.float64] | None = None) -> Predicted:
        if not len(rows):
            return Predicted(np.zeros(0), np.zeros(0))
        x = self._standardized(some(self._encoding(rows, beside))) / self._size
        mean, deviation = self._process.predict(x, return_std=True)
        return self._scale.said(mean, deviation)


def _kernel() -> Any:
    trend = ConstantKernel(1.0, (1e-4, 1e3)) * DotProduct(1.0, "fixed")
    smooth = ConstantKernel(0.5, (1e-4, 1e3)) * RBF(1.0, (0.1, 20.0))
    return trend + smooth + WhiteKernel(0.1, (1e-5, 2.0))


def _few_steps(
    cost: Callable[[NDArray[np.float64]], Any], start: NDArray[np.float64], bounds: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """The kernel's numbers after so many steps: the last digits of a likelihood are not worth their seconds."""
    found = minimize(cost, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": _STEPS})
    return found.x, float(found.fun)
