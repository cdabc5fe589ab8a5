"""What evolutionary searches share: a population that is bred from, and a history that nothing is asked from twice.

Each algorithm says who survives, and may say who is paired; tournaments are pymoo's, crossover and mutation are the search space's own, because they
must return canonical architectures. The front of what was measured is never lost where survival keeps it: every
architecture measured competes for survival exactly once.

Bounds that are only known by measuring are kept by constrained dominance (Deb et al. 2002): what breaks none is
better than what breaks one, and of two that do, the one that breaks them less.

Differs from the papers in three points: duplicates are removed against the whole history rather than the current
population; what cannot be bred is drawn at random, so a small space is finished; and the first generation may hold
the smallest and the largest architecture, the ends of most fronts, where the space has them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pymoo.operators.selection.tournament import TournamentSelection

from core.config import BaseConfig
from core.records import Measurement
from core.search.base import cost_array
from core.search.distinct import DistinctDraws
from core.search.generations import ByGenerations
from core.seeding import stream
from core.spaces import Arch

# Rounds of breeding for one generation before random architectures fill what is missing.
BREEDING_ROUNDS = 6


class EvolutionConfig(BaseConfig):
    """Settings of every algorithm that breeds a population."""

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


class Evolution(ByGenerations):
    """A population, generation by generation.

    Attributes of a population of n, for the methods that a subclass writes:
        _parents: the architectures.
        _costs: (n, m) as `cost_array`.
        _broken: (n,) how far the bounds are broken.
        _ranks: (n,) layers of dominance, 0 first; what breaks a bound comes after all that break none.
        _crowding: (n,) which of two of one layer is the better parent; larger is better.
    """

    Config = EvolutionConfig

    def __init__(self, config: BaseConfig | None = None, **given: Any) -> None:
        super().__init__(config, **given)
        self._rng = stream(self.seed, "search", self.name)
        self._draws = DistinctDraws(self.problem, self._rng)
        # What was told since the last survival: architectures with their costs, and how far they break the bounds.
        self._told: dict[Arch, tuple[NDArray[np.float64], float]] = {}
        self._parents: list[Arch] = []
        self._costs = np.zeros((0, len(self.objectives)))
        self._broken = np.zeros(0)
        self._ranks = np.zeros(0)
        self._crowding = np.zeros(0)
        self._tournament = TournamentSelection(func_comp=self._winners)

    @property
    def batch_size(self) -> int:
        return int(self.config.population)

    @property
    def _size(self) -> int:
        """Architectures that survive, and children of a generation."""
        return int(self.config.population)

    def tell(self, measurements: Sequence[Measurement]) -> None:
        costs, broken = cost_array(measurements, self.objectives), self.problem.violations(measurements)
        for measurement, row, left in zip(measurements, costs, broken.tolist(), strict=True):
            arch = tuple(measurement.arch)
            self._draws.take(arch)
            self._told[arch] = row, left
        self._unqueue(self._told)

    def _next_generation(self) -> list[Arch]:
        self._survive()
        size = self._size
        if not self._parents:
            ends = (self.space.ends or ()) if self.config.initial == "extremes" else ()
            children = self._draws.admit(ends)
        else:
            children = self._breed(size)
        return children + self._draws.draw(size - len(children))

    @abstractmethod
    def _survive(self) -> None:
        """Make a population of the one before and of what was told since."""

    def _breed(self, size: int) -> list[Arch]:
        """Up to `size` children that were never asked for and break no bound that is known."""
        children: list[Arch] = []
        for _ in range(BREEDING_ROUNDS):
            missing = size - len(children)
            if not missing or self._draws.exhausted:
                break
            pairs = self._pairs(missing).tolist()
            crossed = (self._rng.random(missing) < self.config.crossover_rate).tolist()
            born = [
                self._child(a, b if cross else None) for (a, b), cross in zip(pairs, crossed, strict=True)
            ]
            children += self._draws.admit(born)
        return children

    def _child(self, first: int, second: int | None) -> Arch:
        """Of one parent or two, by their numbers."""
        config, space, rng = self.config, self.space, self._rng
        child = self._parents[first]
        if second is not None:
            child = space.crossover(child, self._parents[second], rng, points=config.crossover_points or None)
        return space.mutate(child, rng, config.mutation_rate or 1 / len(space))

    def _pairs(self, n: int) -> NDArray[np.int64]:
        """(n, 2) numbers of parents for n children: winners of tournaments of two."""
        chosen = self._tournament.do(None, self._parents, n, 2, to_pop=False, random_state=self._rng)
        return np.asarray(chosen)

    def _winners(
        self, pop: Any, pairs: NDArray[np.int64], random_state: np.random.Generator, **_: Any
    ) -> NDArray[np.int64]:
        """The crowded-comparison operator (section III-B of the paper on NSGA-II) for (k, 2) pairs of parents."""
        a, b = pairs[:, 0], pairs[:, 1]
        better = np.sign(self._ranks[b] - self._ranks[a])
        # Infinite crowding distances are equal to each other, so compare instead of subtracting.
        more_room = (self._crowding[a] > self._crowding[b]).astype(int) - (
            self._crowding[a] < self._crowding[b]
        )
        verdict = np.where(better != 0, better, more_room)
        chance = np.where(random_state.random(len(pairs)) < 0.5, 1, -1)
        return np.where(np.where(verdict != 0, verdict, chance) > 0, a, b)[:, None]


class SelectingEvolution(Evolution):
    """An evolution whose survivors are chosen from parents and children together, each competing once."""

    @abstractmethod
    def _select(self, costs: NDArray[np.float64], n: int) -> NDArray[np.int64]:
        """Rows of at most n survivors.

        Args:
            costs: (k, m) finite costs of what breaks no bound, k at least 1.
            n: how many survive.

        Sets `self._ranks` of the survivors, and `self._crowding` if their layer does not say everything.
        """

    def _survive(self) -> None:
        if not self._told:
            return
        before = zip(self._costs, self._broken.tolist(), strict=True)
        told = dict(zip(self._parents, before, strict=True)) | self._told
        self._told = {}
        archs, costs = list(told), np.array([row for row, _ in told.values()])
        broken = np.array([left for _, left in told.values()])
        sound, size = np.flatnonzero(broken == 0), self._size
        self._ranks, self._crowding, rows = np.zeros(0), np.zeros(0), sound
        if len(sound):
            rows = sound[self._select(finite(costs[sound]), size)]
        worse = np.flatnonzero(broken > 0)
        worse = worse[np.argsort(broken[worse], kind="stable")][: size - len(rows)]
        if len(worse):
            later = self._ranks.max(initial=-1) + 1 + np.unique(broken[worse], return_inverse=True)[1]
            self._ranks = np.concatenate([self._ranks, later])
            rows = np.concatenate([rows, worse])
        self._crowding = np.pad(self._crowding, (0, len(rows) - len(self._crowding)))
        self._parents = [archs[row] for row in rows]
        self._costs, self._broken = costs[rows], broken[rows]


def finite(costs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Costs that can be ranked and measured distances between, in the same order.

    A row with a NaN becomes worse than every other in every objective; infinities move just outside
    the finite values of their column.
    """
    result = np.array(costs)
    unknown = np.isnan(result).any(axis=1)
    known = np.isfinite(result)
    for column, finite_ones in zip(result.T, known.T, strict=True):
        values = column[finite_ones & ~unknown]
        low, high = (values.min(), values.max()) if len(values) else (0.0, 0.0)
        step = max((high - low) * 0.1, abs(high) * 1e-3, abs(low) * 1e-3, 1e-3)
        column[np.isposinf(column)] = high + step
        column[np.isneginf(column)] = low - step
        column[unknown] = high + 2 * step
    return result
