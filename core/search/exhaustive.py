"""Everything, in order: the ground truth a search is compared with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from core.records import Measurement
from core.search.base import ALGORITHMS, SearchAlgorithm
from core.spaces import Arch


@ALGORITHMS.register("exhaustive")
class Exhaustive(SearchAlgorithm):
    """Asks for every architecture in prefix order, so that the evaluator shares the most work."""

    label = "Exhaustive"
    source = "enumeration in prefix order"
    adapts = False
    _coming: Iterator[Arch] | None = None

    @property
    def batch_size(self) -> int:
        # Neighbors in prefix order share their first stages: large batches are much cheaper.
        return 512

    def ask(self, n: int) -> list[Arch]:
        if self._coming is None:
            self._coming = (tuple(row) for block in self.space.iter_arrays(8192) for row in block.tolist())
        return list(islice(self._coming, max(n, 0)))

    def tell(self, measurements: Sequence[Measurement]) -> None:
        """Nothing to learn: the order is fixed."""
