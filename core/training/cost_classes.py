"""Subnets in classes of equal size by what they cost: who is drawn, who learns, who is sacrificed. No torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.seeding import stream
from core.spaces import SearchSpace
from core.spaces.space import Archs

CLASSES = 5
_SAMPLE = 4096


@dataclass(frozen=True)
class CostClasses:
    """Fifths of a space, from the cheapest to the dearest; fewer where it has few different costs.

    Attributes:
        edges: ascending; class k holds the costs above `edges[k - 1]` and up to `edges[k]`, the last all above.
        shares: of all architectures, in each class: what drawing uniformly comes to.
        least, most: the smallest and the largest cost seen.
    """

    edges: tuple[float, ...]
    shares: tuple[float, ...]
    least: float
    most: float

    @property
    def n(self) -> int:
        return len(self.shares)

    def of(self, costs: ArrayLike) -> NDArray[np.int64]:
        """(n,) costs -> (n,) class of each, from 0 for the cheapest."""
        return np.searchsorted(self.edges, np.asarray(costs, float), side="left").astype(np.int64)

    @classmethod
    def of_space(
        cls, space: SearchSpace, cost: Callable[[Archs], NDArray[np.float64]], n: int = CLASSES
    ) -> CostClasses:
        """Classes of a space by the costs of all its architectures, or of a fixed draw of 4,096.

        Args:
            space: of any size.
            cost: (m, d) architectures -> (m,) what they are ordered by.
            n: classes at most.
        """
        rows = space.array() if space.size <= _SAMPLE else space.sample_array(_SAMPLE, stream(0, "classes"))
        costs = np.asarray(cost(rows), float)
        inner = np.linspace(0, 1, n + 1)[1:-1]
        edges = np.unique(np.quantile(costs, inner, method="inverted_cdf"))
        edges = edges[edges < costs.max()]
        counts = np.bincount(np.searchsorted(edges, costs, side="left"), minlength=len(edges) + 1)
        return cls(
            tuple(edges.tolist()),
            tuple((counts / counts.sum()).tolist()),
            float(costs.min()),
            float(costs.max()),
        )
