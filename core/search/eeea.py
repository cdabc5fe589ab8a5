"""NSGA-II whose first generation is cheap: random architectures above a cost are drawn again before any is measured.

The paper bounds the parameters of the network that would be deployed, so do we: cost is counted, on the subnet itself.
The bound holds for the first generation alone, its children may exceed it; a search with a constraint keeps it.

Differs from the authors' code, where four mistakes change the method (see the method card): all objectives count, every
individual has its own crowding distance, an inversion swaps, and no generation shrinks by its duplicates.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import Field

from core.config import BaseConfig
from core.errors import InvalidInput
from core.pareto import Constraint
from core.search.base import ALGORITHMS
from core.search.distinct import DistinctDraws
from core.search.evolution import EvolutionConfig
from core.search.feasible import require_feasible
from core.search.nsga2 import NSGA2
from core.search.problem import Problem
from core.spaces import Arch

# Draws that a bound chosen by us is the median of.
_SAMPLE = 512
# Rounds of drawing after which an architecture within the bound is looked for in other ways than by chance.
_ROUNDS = 40
_FEWEST_DRAWS = 32


@ALGORITHMS.register("eeea")
class EEEA(NSGA2):
    """NSGA-II from a cheap first generation: what costs more than a bound is drawn again before it is measured."""

    label = "EEEA (NSGA-II from a cheap start)"
    source = (
        "Termritthikun et al., 'EEEA-Net: An Early Exit Evolutionary Neural Architecture Search', EAAI 2021"
    )

    class Config(EvolutionConfig):
        crossover_points: int = Field(
            0, ge=0, le=16, description="Cuts in the order of the network; 0 mixes every choice on its own"
        )
        initial: Literal["extremes", "random"] = Field(
            "random",
            description="Start at random only, or with the smallest and the largest architecture, too",
        )
        inversion_rate: float = Field(
            0.1,
            ge=0,
            le=1,
            description="Chance of a child that two neighboring choices of equal options swap",
        )
        cost: Literal["params", "macs"] = Field(
            "params", description="What the first generation may not exceed"
        )
        bound: float | None = Field(
            None, gt=0, description="Most of it; empty: what half of random architectures have"
        )

    def __init__(self, config: BaseConfig | None = None, **given: Any) -> None:
        super().__init__(config, **given)
        self.bound = self._chosen_bound()
        self.rejected = 0
        """Draws of the first generation that cost too much."""
        if self.config.bound is not None:
            require_feasible(self._bounded())
        names = self.space.choices
        self._swappable = [i for i in range(len(names) - 1) if names[i].options == names[i + 1].options]

    @property
    def remarks(self) -> tuple[str, ...]:
        if not np.isfinite(self.bound):
            return ()
        return (
            f"{self.rejected:,} random architectures with more than {self.bound:,.0f} {self.config.cost} were drawn "
            "again before the first generation was measured; later ones may have more.",
        )

    def _next_generation(self) -> list[Arch]:
        if self._parents or self._told or not np.isfinite(self.bound):
            return super()._next_generation()
        size, found = self._size, list[Arch]()
        if self.config.initial == "extremes":
            found = self._draws.admit(
                [end for end in self.space.ends or () if self._cost([end])[0] <= self.bound]
            )
        for _ in range(_ROUNDS):
            if len(found) >= size:
                break
            rows = self.space.sample_array(max(size - len(found), _FEWEST_DRAWS), self._rng)
            for row, cost in zip(rows.tolist(), self._cost(rows).tolist(), strict=True):
                if len(found) >= size:
                    break
                if cost <= self.bound:
                    found += self._draws.admit([tuple(row)])
                else:
                    self.rejected += 1
        if len(found) < size:
            rare = DistinctDraws(self._bounded(), self._rng)
            for arch in found:
                rare.take(arch)
            found += self._draws.admit(rare.draw(size - len(found)))
        return found or super()._next_generation()

    def _child(self, first: int, second: int | None) -> Arch:
        child = super()._child(first, second)
        if self._swappable and self._rng.random() < self.config.inversion_rate:
            at = self._swappable[int(self._rng.integers(len(self._swappable)))]
            child = self.space.canonical((*child[:at], child[at + 1], child[at], *child[at + 2 :]))
        return child

    def _cost(self, rows: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
        """(n,) cost of architectures."""
        assert self.problem.counted is not None
        return np.asarray(self.problem.counted(np.asarray(rows, np.uint8))[self.config.cost], dtype=float)

    def _chosen_bound(self) -> float:
        counted, cost = self.problem.counted, self.config.cost
        rows = self.space.sample_array(_SAMPLE, self._rng)
        if counted is None or cost not in counted(rows[:1]):
            if self.config.bound is None:
                return float("inf")
            raise InvalidInput(
                f"EEEA needs {cost} that are counted beforehand, and here none are; leave bound empty."
            )
        return float(np.median(self._cost(rows))) if self.config.bound is None else self.config.bound

    def _bounded(self) -> Problem:
        limit = Constraint(self.config.cost, upper=self.bound)
        problem = self.problem
        return Problem(problem.space, problem.objectives, (*problem.constraints, limit), problem.counted)
