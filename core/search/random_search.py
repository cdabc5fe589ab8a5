"""Random search: the baseline every other algorithm has to beat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.config import BaseConfig
from core.records import Measurement
from core.search.base import ALGORITHMS, SearchAlgorithm
from core.search.distinct import DistinctDraws
from core.seeding import stream
from core.spaces import Arch


@ALGORITHMS.register("random_search")
class RandomSearch(SearchAlgorithm):
    """Draws architectures at random, each option of each choice equally likely, none twice."""

    label = "Random search"
    source = "Li and Talwalkar, 'Random Search and Reproducibility for NAS', UAI 2019"
    adapts = False

    def __init__(self, config: BaseConfig | None = None, **given: Any) -> None:
        super().__init__(config, **given)
        self._draws = DistinctDraws(self.problem, stream(self.seed, "search", "random_search"))

    def ask(self, n: int) -> list[Arch]:
        return self._draws.draw(max(n, 0))

    def tell(self, measurements: Sequence[Measurement]) -> None:
        for measurement in measurements:
            self._draws.take(tuple(measurement.arch))
