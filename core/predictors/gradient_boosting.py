"""Gradient boosting: many small trees, each for what those before it missed."""

from __future__ import annotations

from typing import Any

from pydantic import Field
from sklearn.ensemble import GradientBoostingRegressor

from core.config import BaseConfig
from core.predictors.base import PREDICTORS
from core.predictors.regressors import ByRegressor
from core.seeding import stream


@PREDICTORS.register("gradient_boosting")
class GradientBoosting(ByRegressor):
    """Small trees, each fitted to what those before it missed on a part of the rows."""

    label = "Gradient boosting"
    source = "Friedman, 'Greedy function approximation: a gradient boosting machine', 2001; scikit-learn"

    class Config(BaseConfig):
        trees: int = Field(150, ge=1, le=5000, description="Number of trees")
        depth: int = Field(3, ge=1, le=12, description="Questions from the root to a leaf")
        rate: float = Field(0.08, gt=0, le=1, description="Share of each tree that counts")
        rows: float = Field(0.7, gt=0, le=1, description="Share of the rows that each tree sees")

    def make(self, n: int) -> Any:
        seed = int(stream(self.seed, "gradient_boosting").integers(2**31))
        return GradientBoostingRegressor(
            n_estimators=self.config.trees,
            max_depth=self.config.depth,
            learning_rate=self.config.rate,
            subsample=max(self.config.rows, 1 / n),
            random_state=seed,
        )
