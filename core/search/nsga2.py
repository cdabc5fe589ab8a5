"""NSGA-II on architectures: breed from the least dominated and least crowded ones.

Survival and tournaments are pymoo's; what else there is to an evolution is in `core.search.evolution`, with the
points in which it differs from the paper.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymoo.core.population import Population
from pymoo.operators.selection.tournament import TournamentSelection
from pymoo.operators.survival.rank_and_crowding import RankAndCrowding

from core.config import BaseConfig
from core.search.base import ALGORITHMS
from core.search.evolution import Evolution


@ALGORITHMS.register("nsga2")
class NSGA2(Evolution):
    """Evolves a population toward the front: non-dominated sorting, crowding distance, crossover, mutation."""

    label = "NSGA-II"
    source = "Deb et al., 'A fast and elitist multiobjective genetic algorithm: NSGA-II', IEEE TEC 2002 (pymoo operators)"

    def __init__(self, config: BaseConfig | None = None, **given: Any) -> None:
        super().__init__(config, **given)
        self._survival = RankAndCrowding()
        # What breaks a bound is not among the survivors chosen here; this also spares us a pymoo Problem.
        self._survival.filter_infeasible = False
        self._tournament = TournamentSelection(func_comp=self._winners)

    def _select(self, costs: NDArray[np.float64], n: int) -> NDArray[np.int64]:
        pool = Population.new(F=costs, row=np.arange(len(costs)))
        with np.errstate(over="ignore", invalid="ignore"):
            kept = self._survival.do(None, pool, n_survive=n, random_state=self._rng)
        rows, self._ranks, self._crowding = kept.get("row", "rank", "crowding")
        return np.asarray(rows)

    def _pairs(self, n: int) -> NDArray[np.int64]:
        chosen = self._tournament.do(None, self._parents, n, 2, to_pop=False, random_state=self._rng)
        return np.asarray(chosen)

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
