"""NSGA-II on architectures: breed from the least dominated and least crowded ones.

Survival and tournaments are pymoo's; what else there is to an evolution is in `core.search.evolution`, with the
points in which it differs from the paper.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymoo.core.population import Population
from pymoo.operators.survival.rank_and_crowding import RankAndCrowding

from core.config import BaseConfig
from core.search.base import ALGORITHMS
from core.search.evolution import SelectingEvolution


@ALGORITHMS.register("nsga2")
class NSGA2(SelectingEvolution):
    """Evolves a population toward the front: non-dominated sorting, crowding distance, crossover, mutation."""

    label = "NSGA-II"
    source = "Deb et al., 'A fast and elitist multiobjective genetic algorithm: NSGA-II', IEEE TEC 2002 (pymoo operators)"

    def __init__(self, config: BaseConfig | None = None, **given: Any) -> None:
        super().__init__(config, **given)
        self._survival = RankAndCrowding()
        # What breaks a bound is not among the survivors chosen here; this also spares us a pymoo Problem.
        self._survival.filter_infeasible = False

    def _select(self, costs: NDArray[np.float64], n: int) -> NDArray[np.int64]:
        pool = Population.new(F=costs, row=np.arange(len(costs)))
        with np.errstate(over="ignore", invalid="ignore"):
            kept = self._survival.do(None, pool, n_survive=n, random_state=self._rng)
        rows, self._ranks, self._crowding = kept.get("row", "rank", "crowding")
        return np.asarray(rows)
