"""Search algorithms: which architectures to measure next. Importing this loads no algorithm."""

from __future__ import annotations

from core.search.base import ALGORITHMS, SearchAlgorithm

__all__ = ["ALGORITHMS", "SearchAlgorithm"]
