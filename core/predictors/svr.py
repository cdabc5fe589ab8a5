"""Support vector regression with a Gaussian kernel, as LINAS uses it beside ridge."""

from __future__ import annotations

from typing import Any

from pydantic import Field
from sklearn.svm import SVR

from core.config import BaseConfig
from core.predictors.base import PREDICTORS
from core.predictors.regressors import ByRegressor


@PREDICTORS.register("svr")
class SupportVectors(ByRegressor):
    """Support vector regression with a Gaussian kernel over the encoding."""

    label = "Support vector regression"
    source = "Drucker et al., 'Support vector regression machines', NeurIPS 1996; scikit-learn"

    class Config(BaseConfig):
        penalty: float = Field(
            10.0, gt=0, le=1e6, description="Price of missing a value; larger follows the data more"
        )
        tolerance: float = Field(
            0.05, ge=0, le=1, description="Misses up to this share of the spread cost nothing"
        )

    def make(self, n: int) -> Any:
        machine = SVR(C=self.config.penalty, epsilon=self.config.tolerance, gamma="scale")
        # Nothing is drawn for a regression, but without this a seed is taken from the global generator.
        machine.random_state = self.seed % 2**31
        return machine
