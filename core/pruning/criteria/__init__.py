"""Criteria: which weights, or which units, matter least. One file per family of methods."""

from __future__ import annotations

from core.pruning.criteria.base import CRITERIA, Criterion, UnitCriterion, WeightCriterion

__all__ = ["CRITERIA", "Criterion", "UnitCriterion", "WeightCriterion"]
