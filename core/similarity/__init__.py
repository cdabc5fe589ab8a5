"""How alike are two layers, and which units match? NumPy in float64; knows nothing of networks."""

from __future__ import annotations

from core.similarity.base import INVARIANCES, MEASURES, Measure, Undefined, Value, between

__all__ = ["INVARIANCES", "MEASURES", "Measure", "Undefined", "Value", "between"]
