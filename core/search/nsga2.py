"""NSGA-II on architectures: breed from the least dominated and least crowded ones.

Survival and tournaments are pymoo's; crossover and mutation are the search space's own, because
they must return canonical architectures. The front of what was measured is never lost: every
architecture measured competes for survival exactly once, and no architecture is asked for twice.

Differs from the paper in three points: duplicates are removed against the whole history rather than
the current population; what cannot be bred is drawn at random, so a small space is finished; and the
first generation may hold the smallest and the largest architecture, the ends of most fronts, where the
space has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pymoo.core.population import Population
from pymoo.operators.selection.tournament import TournamentSelection
from pymoo.operators.survival.rank_and_crowding import RankAndCrowding

from core.config import BaseConfig
from core.records import Measurement
from core.search.base import ALGORITHMS, SearchAlgorithm, cost_array
from core.search.distinct import DistinctDraws
from core.seeding import stream
from core.spaces import Arch

# Rounds of breeding for one generation before random architectures fill what is missing.
_BREEDING_ROUNDS = 6


@ALGORITHMS.register("nsga2")
class NSGA2(SearchAlgorithm):
    """Evolves a population toward the front: non-dominated sorting, crowding distance, crossover, mutation."""

    label = "NSGA-II"
    source = "Deb et al., 'A fast and elitist multiobjective genetic algorithm: NSGA-II', IEEE TEC 2002 (pymoo operators)"

    class Config(BaseConfig):
        population: int = Field(50, ge=2, le=10_000, description="Architectures per generation")
        crossover_rate: float = Field(0.9, ge=0, le=1, description="Chance that a child has two parents")
        crossover_points: int = Field(
            1, ge=0, le=16, description="Cuts in the order of the network; 0 mixes every choice on its own"
        )
        mutation_rate: float | None = Field(
            None, gt=0, le=1, description="Chance of each choice to change; empty: one choice on average"
        )
        initial: Literal["extremes", "random"] = Field(
            "extremes",
            description="Start with the smallest and the largest architecture, where the space has them, or at random only",
        )

    def __init__(self, config: BaseConfig | None = None, **given: Any) -> None:
        super().__init__(config, **given)
        self._rng = stream(self.seed, "search", "nsga2")
        self._draws = DistinctDraws(self.space, self._rng)
        self._queue: list[Arch] = []
        # What was told since the last survival, and the survivors: architectures with their costs.
        self._told: dict[Arch, NDArray[np.float64]] = {}
        self._parents: list[Arch] = []
        self._costs = np.zeros((0, len(self.objectives)))
        self._ranks = np.zeros(0)
        self._crowding = np.zeros(0)
        self._survival = RankAndCrowding()
        # Without constraints there is nothing to split; this also spares us a pymoo Problem.
        self._survival.filter_infeasible = False
        self._tournament = TournamentSelection(func_comp=self._winners)

    @property
    def batch_size(self) -> int:
        return int(self.config.population)

    def ask(self, n: int) -> list[Arch]:
        found: list[Arch] = []
        while len(found) < n:
            if not self._queue:
                self._queue = self._next_generation()
                if not self._queue:
                    break
            found.append(self._queue.pop(0))
        return found

    def tell(self, measurements: Sequence[Measurement]) -> None:
        for measurement, costs in zip(measurements, cost_array(measurements, self.objectives), strict=True):
            arch = tuple(measurement.arch)
            self._draws.take(arch)
            self._told[arch] = costs
        self._queue = [arch for arch in self._queue if arch not in self._told]

    def _next_generation(self) -> list[Arch]:
        self._survive()
        size = self.config.population
        if not self._parents:
            ends = (self.space.ends or ()) if self.config.initial == "extremes" else ()
            children = [arch for arch in ends if self._draws.take(arch)]
        else:
            children = self._breed(size)
        return children + self._draws.draw(size - len(children))

    def _survive(self) -> None:
        if not self._told:
            return
        told = dict(zip(self._parents, self._costs, strict=True)) | self._told
        self._told = {}
        archs, costs = list(told), np.array(list(told.values()))
        pool = Population.new(F=_finite(costs), row=np.arange(len(costs)))
        with np.errstate(over="ignore", invalid="ignore"):
            kept = self._survival.do(None, pool, n_survive=self.config.population, random_state=self._rng)
        rows, self._ranks, self._crowding = kept.get("row", "rank", "crowding")
        self._parents = [archs[row] for row in rows]
        self._costs = costs[rows]

    def _breed(self, size: int) -> list[Arch]:
        """Up to `size` children that were never asked for."""
        config, space, rng = self.config, self.space, self._rng
        rate = config.mutation_rate or 1 / len(space)
        children: list[Arch] = []
        for _ in range(_BREEDING_ROUNDS):
            missing = size - len(children)
            if not missing or self._draws.exhausted:
                break
            pairs = self._tournament.do(None, self._parents, missing, 2, to_pop=False, random_state=rng)
            for (first, second), cross in zip(
                pairs.tolist(), rng.random(missing) < config.crossover_rate, strict=True
            ):
                child = self._parents[first]
                if cross:
                    child = space.crossover(
                        child, self._parents[second], rng, points=config.crossover_points or None
                    )
                child = space.mutate(child, rng, rate)
                if self._draws.take(child):
                    children.append(child)
        return children

    def _winners(
        self, pop: Any, pairs: NDArray[np.int64], random_state: np.random.Generator, **_: Any
    ) -> NDArray[np.int64]:
        """The crowded-comparison operator (section III-B of the paper) for (k, 2) pairs of parents."""
        a, b = pairs[:, 0], pairs[:, 1]
        better = np.sign(self._ranks[b] - self._ranks[a])
        # Infinite crowding distances are equal to each other, so compare instead of subtracting.
        more_room = (self._crowding[a] > self._crowding[b]).astype(int) - (
            self._crowding[a] < self._crowding[b]
        )
        verdict = np.where(better != 0, better, more_room)
        chance = np.where(random_state.random(len(pairs)) < 0.5, 1, -1)
        return np.where(np.where(verdict != 0, verdict, chance) > 0, a, b)[:, None]


def _finite(costs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Costs that pymoo can rank and measure distances between, in the same order.

    A row with a NaN becomes worse than every other in every objective; infinities move just outside
    the finite values of their column.
    """
    result = np.array(costs)
    unknown = np.isnan(result).any(axis=1)
    known = np.isfinite(result)
    for column, finite in zip(result.T, known.T, strict=True):
        values = column[finite & ~unknown]
        low, high = (values.min(), values.max()) if len(values) else (0.0, 0.0)
        step = max((high - low) * 0.1, abs(high) * 1e-3, abs(low) * 1e-3, 1e-3)
        column[np.isposinf(column)] = high + step
        column[np.isneginf(column)] = low - step
        column[unknown] = high + 2 * step
    return result
