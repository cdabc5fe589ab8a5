"""Everything, in order: the ground truth a search is compared with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from core.config import BaseConfig
from core.records import Measurement
from core.search.base import ALGORITHMS, SearchAlgorithm
from core.search.feasible import LARGEST_LISTED, walked
from core.seeding import stream
from core.spaces import Arch

_BLOCK = 8192
# Blocks in a row without an architecture within the bounds, after which a large space is walked through instead.
_MOST_BARREN = 128


@ALGORITHMS.register("exhaustive")
class Exhaustive(SearchAlgorithm):
    """Asks for every architecture in prefix order, so that the evaluator shares the most work."""

    label = "Exhaustive"
    source = "enumeration in prefix order"
    adapts = False

    def __init__(self, config: BaseConfig | None = None, **given: Any) -> None:
        super().__init__(config, **given)
        # A space with bounds too large to list may have its feasible architectures anywhere.
        self._anywhere = bool(self.problem.bounds_known) and self.space.size > LARGEST_LISTED
        self._coming = self._within_bounds()
        self._last: Arch = ()
        self._known: dict[Arch, None] = {}

    @property
    def batch_size(self) -> int:
        # Neighbors in prefix order share their first stages: large batches are much cheaper.
        return 512

    def ask(self, n: int) -> list[Arch]:
        found = list(islice((arch for arch in self._coming if arch not in self._known), max(n, 0)))
        self._last = found[-1] if found else self._last
        if self._anywhere:
            self._known.update(dict.fromkeys(found))
        return found

    def tell(self, measurements: Sequence[Measurement]) -> None:
        # Prefix order is the order of tuples: only what comes later can still be skipped.
        told = (tuple(m.arch) for m in measurements)
        self._known.update(dict.fromkeys(arch for arch in told if self._anywhere or arch > self._last))

    def _within_bounds(self) -> Iterator[Arch]:
        barren = 0
        for block in self.space.iter_arrays(_BLOCK):
            fitting = block[self.problem.feasible(block)].tolist()
            yield from map(tuple, fitting)
            barren = 0 if fitting else barren + 1
            if self._anywhere and barren == _MOST_BARREN:
                yield from walked(self.problem, list(self._known), stream(self.seed, "search", "exhaustive"))
                return
