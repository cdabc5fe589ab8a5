"""Pareto local search: look around what nothing beats, move on to what is found there, start anew when all was seen.

A climb starts from some random architectures and keeps an archive of what it measured and nothing beats. It asks for the
neighbors (one choice changed) of a random member whose neighborhood was not yet looked at; answers update the archive at
once, so a member that is beaten is not looked at any further. When no member is left to look at, the archive is a set that
no single change improves, and the next climb starts from new random architectures. With one objective this is hill climbing
with restarts.

Bounds that only measuring shows come first: while a climb knows nothing that keeps them, its archive is what breaks
them least.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.config import BaseConfig
from core.pareto import non_dominated
from core.records import Measurement
from core.search.base import ALGORITHMS, SearchAlgorithm, cost_array
from core.search.distinct import DistinctDraws
from core.seeding import stream
from core.spaces import Arch


@ALGORITHMS.register("local_search")
class LocalSearch(SearchAlgorithm):
    """Measures the neighbors of what nothing beats until no single change improves it, then starts anew."""

    label = "Local search"
    source = "Paquete, Chiarandini and Stützle, 'Pareto Local Optimum Sets in the Biobjective Traveling Salesman Problem', 2004; White, Nolen and Savani, 'Exploring the Loss Landscape in Neural Architecture Search', UAI 2021"

    class Config(BaseConfig):
        starts: int = Field(10, ge=1, le=10_000, description="Random architectures that a climb starts from")
        batch: int = Field(10, ge=1, le=10_000, description="Neighbors asked for before the next answers")

    def __init__(self, config: BaseConfig | None = None, **given: Any) -> None:
        super().__init__(config, **given)
        self._rng = stream(self.seed, "search", self.name)
        self._draws = DistinctDraws(self.problem, self._rng)
        # The archive of this climb: members, their costs and how far they break the bounds.
        self._members: list[Arch] = []
        self._costs = np.zeros((0, len(self.objectives)))
        self._broken = np.zeros(0)
        self._seen: set[Arch] = set()
        self._waiting: set[Arch] = set()
        self._to_draw = int(self.config.starts)

    @property
    def batch_size(self) -> int:
        return int(self.config.batch)

    def ask(self, n: int) -> list[Arch]:
        found: list[Arch] = []
        while len(found) < n and not self._draws.exhausted:
            if self._to_draw:
                more = self._draws.draw(min(self._to_draw, n - len(found)))
                self._to_draw = self._to_draw - len(more) if more else 0
                if not more:
                    break
            else:
                more = self._around(n - len(found))
                if not more and (self._waiting or found):
                    # What is on its way may open a way on; meanwhile chance fills what was asked for. That is not
                    # waited for: with answers always on their way a climb would never end.
                    by_chance = self._draws.draw(n - len(found))
                    if not by_chance:
                        break
                    found += by_chance
                elif not more:
                    self._restart()
            found += more
            self._waiting.update(more)
        return found

    def tell(self, measurements: Sequence[Measurement]) -> None:
        if not measurements:
            return
        archs = [tuple(m.arch) for m in measurements]
        for arch in archs:
            self._draws.take(arch)
        self._waiting.difference_update(archs)
        self._members += archs
        self._costs = np.concatenate([self._costs, cost_array(measurements, self.objectives)])
        self._broken = np.concatenate([self._broken, self.problem.violations(measurements)])
        rows = _unbeaten(self._costs, self._broken)
        self._members = [self._members[row] for row in rows]
        self._costs, self._broken = self._costs[rows], self._broken[rows]

    def _around(self, n: int) -> list[Arch]:
        """Up to n new neighbors of members that were not looked at."""
        found: list[Arch] = []
        rest = [arch for arch in self._members if arch not in self._seen]
        while rest and len(found) < n:
            at = int(self._rng.integers(len(rest)))
            near = [arch for arch in self.space.neighbors(rest[at]) if arch not in self._draws]
            near = [near[i] for i in self._rng.permutation(len(near))]
            admitted: list[Arch] = []
            while near and len(found) + len(admitted) < n:
                wanted = n - len(found) - len(admitted)
                admitted += self._draws.admit(near[:wanted])
                near = near[wanted:]
            found += admitted
            if not near:
                self._seen.add(rest.pop(at))
        return found

    def _restart(self) -> None:
        self._members, self._seen = [], set()
        self._costs, self._broken = self._costs[:0], self._broken[:0]
        self._to_draw = int(self.config.starts)


def _unbeaten(costs: NDArray[np.float64], broken: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rows of those that break the bounds least, and of them the ones that nothing beats; none with a NaN."""
    known = np.flatnonzero(~np.isnan(costs).any(axis=1))
    if not len(known):
        return known
    known = known[broken[known] == broken[known].min()]
    return known[non_dominated(costs[known], maximize=[False] * costs.shape[1])]
