"""Search algorithms: which architectures to measure next. Importing this loads no algorithm."""

from __future__ import annotations

from core.search.base import ALGORITHMS, SearchAlgorithm
from core.search.problem import Problem

__all__ = ["ALGORITHMS", "Problem", "SearchAlgorithm"]
