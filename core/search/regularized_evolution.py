"""Regularized evolution: the oldest dies, whatever it is worth, and the best of a random sample is mutated.

The paper has one objective. Read for several: every tournament weighs the objectives by chance, uniformly on the simplex,
and its winner is the member of the sample whose largest weighted cost is the least (costs scaled by the range within the
population, weights of a Chebyshev scalarization); so all parts of the front have children. With one objective it is the paper's tournament.
Bounds that only measuring shows come first: who breaks them least wins.

Differs from the paper in two points: no architecture is asked for twice, so that nothing is evaluated again by chance;
and several children are bred before the next answers come, so that they can be measured as one batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.config import BaseConfig
from core.records import Measurement
from core.search.base import ALGORITHMS, SearchAlgorithm, cost_array
from core.search.distinct import DistinctDraws
from core.search.evolution import BREEDING_ROUNDS, finite
from core.seeding import stream
from core.spaces import Arch


@ALGORITHMS.register("regularized_evolution")
class RegularizedEvolution(SearchAlgorithm):
    """Mutates the winner of a small tournament again and again; the oldest architecture leaves, not the worst."""

    label = "Regularized evolution"
    source = "Real et al., 'Regularized Evolution for Image Classifier Architecture Search', AAAI 2019 (objectives weighed by chance per tournament)"

    class Config(BaseConfig):
        population: int = Field(50, ge=2, le=10_000, description="Architectures alive at a time")
        sample: int = Field(10, ge=1, le=10_000, description="Architectures of a tournament")
        batch: int = Field(10, ge=1, le=10_000, description="Children bred before the next answers")

    def __init__(self, config: BaseConfig | None = None, **given: Any) -> None:
        super().__init__(config, **given)
        self._rng = stream(self.seed, "search", self.name)
        self._draws = DistinctDraws(self.problem, self._rng)
        # From the oldest to the youngest, with costs and how far the bounds are broken.
        self._alive: list[tuple[Arch, NDArray[np.float64], float]] = []
        self._asked = 0

    @property
    def batch_size(self) -> int:
        start = self.config.population - max(self._asked, len(self._alive))
        return int(max(self.config.batch, start))

    def ask(self, n: int) -> list[Arch]:
        # The first population is drawn, however it is asked for.
        first = min(n, max(self.config.population - max(self._asked, len(self._alive)), 0))
        found = self._draws.draw(first)
        for _ in range(BREEDING_ROUNDS if self._alive else 0):
            missing = n - len(found)
            if missing <= 0 or self._draws.exhausted:
                break
            # A rate of 0 changes exactly one choice, as the paper's mutation of operations does.
            born = [self.space.mutate(self._alive[w][0], self._rng, 0.0) for w in self._winners(missing)]
            found += self._draws.admit(born)
        found += self._draws.draw(n - len(found))
        self._asked += len(found)
        return found

    def tell(self, measurements: Sequence[Measurement]) -> None:
        costs, broken = cost_array(measurements, self.objectives), self.problem.violations(measurements)
        for measurement, row, left in zip(measurements, costs, broken.tolist(), strict=True):
            self._draws.take(tuple(measurement.arch))
            self._alive.append((tuple(measurement.arch), row, left))
        self._alive = self._alive[-self.config.population :]

    def _winners(self, n: int) -> list[int]:
        """Numbers of the winners of n tournaments among what is alive."""
        costs = finite(np.array([row for _, row, _ in self._alive]))
        broken = np.array([left for _, _, left in self._alive])
        low, span = costs.min(axis=0), np.ptp(costs, axis=0)
        scaled = (costs - low) / np.where(span > 0, span, 1.0)
        size = min(self.config.sample, len(costs))
        winners = []
        for weights in self._rng.dirichlet(np.ones(costs.shape[1]), size=n):
            sample = self._rng.choice(len(costs), size, replace=False)
            worst = (scaled[sample] * weights).max(axis=1)
            winners.append(int(sample[np.lexsort((worst, broken[sample]))[0]]))
        return winners
