"""MOEA/D on architectures: one single-objective problem per direction, each learning from its neighbors.

Decompositions are pymoo's. Every direction holds the best architecture found for it; a child of neighboring directions
replaces what it beats among them. Bounds that only measuring shows come first: of two architectures the one that breaks
them less is better, whatever the direction says.

Differs from the paper in three points: a generation is bred at once rather than child by child, so that it can be
measured as one batch; costs are scaled by the range of the front found so far, because the objectives' units differ;
and what was measured elsewhere may replace any direction's architecture.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pymoo.core.decomposition import Decomposition
from pymoo.decomposition.pbi import PBI
from pymoo.decomposition.tchebicheff import Tchebicheff

from core.config import BaseConfig
from core.pareto import non_dominated
from core.search.base import ALGORITHMS
from core.search.directions import directions
from core.search.evolution import BREEDING_ROUNDS, Evolution, EvolutionConfig, finite
from core.spaces import Arch

# A direction along one axis still prefers the better of two that are equal there.
_LEAST_WEIGHT = 1e-3


@ALGORITHMS.register("moead")
class MOEAD(Evolution):
    """Divides the front into directions, evolves one architecture for each, and lets neighbors learn from each other."""

    label = "MOEA/D"
    source = "Zhang and Li, 'MOEA/D: A multiobjective evolutionary algorithm based on decomposition', IEEE TEC 2007 (pymoo decompositions)"

    class Config(EvolutionConfig):
        neighbors: int = Field(20, ge=2, le=1000, description="Directions that learn from each other")
        neighbor_rate: float = Field(0.9, ge=0, le=1, description="Chance that both parents are neighbors")
        decomposition: Literal["auto", "tchebicheff", "pbi"] = Field(
            "auto", description="How a direction weighs objectives; auto: tchebicheff for two, pbi for more"
        )

    def __init__(self, config: BaseConfig | None = None, **given: Any) -> None:
        super().__init__(config, **given)
        m, most = len(self.objectives), self.config.population
        # One objective has one direction; as many architectures are evolved for it.
        self._weights = np.maximum(directions(m, most) if m > 1 else np.ones((most, 1)), _LEAST_WEIGHT)
        self._near = _nearest(self._weights, min(self.config.neighbors, len(self._weights)))
        self._direction: dict[Arch, int] = {}

    @property
    def batch_size(self) -> int:
        return self._size

    @property
    def _size(self) -> int:
        return len(self._weights)

    def _decomposition(self) -> Decomposition:
        kind = self.config.decomposition
        if kind == "auto":
            kind = "tchebicheff" if len(self.objectives) <= 2 else "pbi"
        return Tchebicheff() if kind == "tchebicheff" else PBI()

    def _survive(self) -> None:
        if not self._told:
            return
        told, self._told = self._told, {}
        archs = [*self._parents, *told]
        costs = np.concatenate([self._costs, np.array([row for row, _ in told.values()])])
        broken = np.concatenate([self._broken, [left for _, left in told.values()]])
        values = self._decomposition().do(_scaled(finite(costs), broken), self._weights, _type="many_to_many")
        n = len(self._parents)
        # The number of what each direction holds, -1 for nothing.
        holds = np.arange(n) if n else np.full(self._size, -1)
        for number in range(n, len(archs)):
            k = self._direction.pop(archs[number], None)
            near = self._near[k] if k is not None and n else np.arange(self._size)
            held = holds[near]
            same = broken[number] == broken[held]
            better = (broken[number] < broken[held]) | (same & (values[number, near] < values[held, near]))
            holds[near[better | (held < 0)]] = number
        self._parents = [archs[number] for number in holds]
        self._costs, self._broken = costs[holds], broken[holds]

    def _breed(self, size: int) -> list[Arch]:
        children: list[Arch] = []
        missing = self._rng.permutation(size).tolist()
        for _ in range(BREEDING_ROUNDS):
            if not missing or self._draws.exhausted:
                break
            born: dict[Arch, int] = {}
            for k in missing:
                born.setdefault(self._bred_for(k), k)
            fresh = {arch: born[arch] for arch in self._draws.admit(born)}
            self._direction |= fresh
            children += fresh
            served = set(fresh.values())
            missing = [k for k in missing if k not in served]
        return children

    def _bred_for(self, k: int) -> Arch:
        pool = self._near[k] if self._rng.random() < self.config.neighbor_rate else np.arange(self._size)
        first, second = self._rng.choice(pool, 2, replace=False).tolist()
        return self._child(first, second if self._rng.random() < self.config.crossover_rate else None)


def _nearest(weights: NDArray[np.float64], k: int) -> NDArray[np.int64]:
    """(n, k) directions nearest to each, itself first; among equal directions those beside it in the list."""
    n = len(weights)
    apart = np.linalg.norm(weights[:, None] - weights[None], axis=2)
    beside = np.abs(np.arange(n)[:, None] - np.arange(n)[None])
    return np.lexsort((np.minimum(beside, n - beside), apart), axis=1)[:, :k]


def _scaled(costs: NDArray[np.float64], broken: NDArray[np.float64]) -> NDArray[np.float64]:
    """Costs from 0, the best of each objective, to 1, the worst on the front of what breaks the bounds least."""
    sound = broken == broken.min()
    front = costs[sound][non_dominated(costs[sound], maximize=[False] * costs.shape[1])]
    low, span = front.min(axis=0), np.ptp(front, axis=0)
    return np.asarray((costs - low) / np.where(span > 0, span, 1.0))
