"""Predictors: from architectures that were measured to a guess of those that were not. Importing this loads none."""

from __future__ import annotations

from core.predictors.base import PREDICTORS, Predicted, Predictor

__all__ = ["PREDICTORS", "Predicted", "Predictor"]
