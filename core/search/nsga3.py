"""NSGA-III on architectures: survivors are spread over directions that are fixed beforehand, for many objectives.

Survival is pymoo's. Costs are scaled by the first population's range, because its search for extreme points takes
differences below a thousandth for none, whatever the unit. Mating is that of its unified form (Seada and Deb, 2015),
which works for one objective, too: of two that aim at the same direction the less dominated one, then the nearer one, is
the better parent; others are worth the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymoo.algorithms.moo.nsga3 import ReferenceDirectionSurvival
from pymoo.core.population import Population

from core.config import BaseConfig
from core.quiet import quiet
from core.search.base import ALGORITHMS
from core.search.directions import directions
from core.search.evolution import SelectingEvolution


@ALGORITHMS.register("nsga3")
class NSGA3(SelectingEvolution):
    """Evolves a population whose members are spread over fixed directions; made for three objectives and more."""

    label = "NSGA-III"
    source = "Deb and Jain, 'An evolutionary many-objective optimization algorithm using reference-point-based nondominated sorting approach', IEEE TEC 2014 (pymoo survival)"

    def __init__(self, config: BaseConfig | None = None, **given: Any) -> None:
        super().__init__(config, **given)
        self._survival = ReferenceDirectionSurvival(directions(len(self.objectives), self._size))
        # What breaks a bound is not among the survivors chosen here; this also spares us a pymoo Problem.
        self._survival.filter_infeasible = False
        self._niche = np.zeros(0, int)
        self._scale: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None

    def _select(self, costs: NDArray[np.float64], n: int) -> NDArray[np.int64]:
        if self._scale is None:
            low, span = costs.min(axis=0), np.ptp(costs, axis=0)
            self._scale = low, np.where(span > 0, span, 1.0)
        low, span = self._scale
        # pymoo turns warnings off for the whole process, and means its own division by zero.
        with quiet(), np.errstate(all="ignore"):
            pool = Population.new(F=(costs - low) / span, row=np.arange(len(costs)))
            kept = self._survival.do(None, pool, n_survive=n, random_state=self._rng)
        rows, self._ranks, self._niche, far = kept.get("row", "rank", "niche", "dist_to_niche")
        self._crowding = -far
        return np.asarray(rows)

    def _pairs(self, n: int) -> NDArray[np.int64]:
        rivals = self._rng.integers(len(self._parents), size=(n, 2, 2))
        a, b = rivals[..., 0], rivals[..., 1]
        # What breaks a bound is in no niche.
        niche = np.pad(self._niche, (0, len(self._parents) - len(self._niche)), constant_values=-1)
        nearer = (self._ranks[b] == self._ranks[a]) & (self._crowding[b] > self._crowding[a])
        comparable = (niche[a] == niche[b]) | (self._broken[a] > 0) | (self._broken[b] > 0)
        return np.where(comparable & ((self._ranks[b] < self._ranks[a]) | nearer), b, a)
