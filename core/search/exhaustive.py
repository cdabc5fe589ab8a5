"""Everything, in order: the ground truth a search is compared with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from core.config import BaseConfig
from core.records import Measurement
from core.search.base import ALGORITHMS, SearchAlgorithm
from core.spaces import Arch


@ALGORITHMS.register("exhaustive")
class Exhaustive(SearchAlgorithm):
    """Asks for every architecture in prefix order, so that the evaluator shares the most work."""

    label = "Exhaustive"
    source = "enumeration in prefix order"
    adapts = False

    def __init__(self, config: BaseConfig | None = None, **given: Any) -> None:
        super().__init__(config, **given)
        blocks = self.space.iter_arrays(8192)
        self._coming: Iterator[Arch] = (tuple(row) for block in blocks for row in block.tolist())
        self._last: Arch = ()
        self._known: set[Arch] = set()

    @property
    def batch_size(self) -> int:
        # Neighbors in prefix order share their first stages: large batches are much cheaper.
        return 512

    def ask(self, n: int) -> list[Arch]:
        found = list(islice((arch for arch in self._coming if arch not in self._known), max(n, 0)))
        self._last = found[-1] if found else self._last
        return found

    def tell(self, measurements: Sequence[Measurement]) -> None:
        # Prefix order is the order of tuples: only what comes later can still be skipped.
        self._known.update(tuple(m.arch) for m in measurements if tuple(m.arch) > self._last)
