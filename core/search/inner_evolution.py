"""NSGA-II on arrays, for searches that look at guesses: thousands of architectures in tens of milliseconds.

Nothing is measured here. `core.search.nsga2` asks for measurements one generation at a time and never twice; this one
runs to its end on a function that prices whole arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.pareto import ranks
from core.spaces import Archs, SearchSpace

Price = Callable[[Archs], NDArray[np.float64]]
"""(n, d) canonical architectures -> (n, m) finite costs, smaller is better."""
Allowed = Callable[[Archs], NDArray[np.bool_]]
_CROSSOVER_RATE = 0.9
# Generations in a row without one new architecture, after which there is nothing left to find.
_MOST_FRUITLESS = 5


@dataclass(frozen=True, eq=False)
class Evolved:
    """What an evolution saw.

    Attributes:
        rows: (n, d) every architecture it priced, each once.
        costs: (n, m).
        last: positions of the last population in `rows`, best first.
    """

    rows: Archs
    costs: NDArray[np.float64]
    last: NDArray[np.int64]


def evolve(
    space: SearchSpace,
    price: Price,
    *,
    start: Archs,
    population: int,
    generations: int,
    rng: np.random.Generator,
    allowed: Allowed | None = None,
) -> Evolved:
    """Evolve toward the front of `price`.

    Args:
        space: of the architectures.
        price: what is minimized.
        start: (k, d) canonical architectures of the first population, repeats welcome.
        population: architectures per generation.
        generations: how many, the first one included.
        rng: source of chance.
        allowed: which architectures may be looked at; all if left out.

    Returns:
        What was seen; nothing if none of `start` is allowed.
    """
    seen = _Seen(space, allowed)
    rows = seen.fresh(start)
    costs = price(rows) if len(rows) else np.zeros((0, 1))
    alive, rank, crowd = _survivors(costs, np.arange(len(rows)), population)
    fruitless = 0
    for _ in range(generations - 1):
        if not len(alive) or fruitless == _MOST_FRUITLESS:
            break
        children = seen.fresh(_bred(space, rows[alive], rank, crowd, population, rng))
        fruitless = 0 if len(children) else fruitless + 1
        if len(children):
            first = len(rows)
            rows, costs = np.concatenate([rows, children]), np.concatenate([costs, price(children)])
            alive, rank, crowd = _survivors(
                costs, np.concatenate([alive, np.arange(first, len(rows))]), population
            )
    return Evolved(rows, costs, alive)


class _Seen:
    """Lets every allowed architecture pass once."""

    def __init__(self, space: SearchSpace, allowed: Allowed | None) -> None:
        self._width = max(len(space), 1)
        self._allowed = allowed
        self._known: set[bytes] = set()

    def fresh(self, rows: Archs) -> Archs:
        keys = np.ascontiguousarray(rows).view(f"V{self._width}").ravel().tolist() if len(rows) else []
        new = []
        for index, key in enumerate(keys):
            if key not in self._known:
                self._known.add(key)
                new.append(index)
        found = rows[new]
        return found[self._allowed(found)] if self._allowed is not None and len(found) else found


def _bred(
    space: SearchSpace,
    parents: Archs,
    rank: NDArray[np.int64],
    crowd: NDArray[np.float64],
    n: int,
    rng: np.random.Generator,
) -> Archs:
    """n canonical children: two tournaments, one cut in the order of the network or a free mixture, mutation."""
    width = len(space)
    pairs = rng.integers(len(parents), size=(2, n, 2))
    # Smaller rank first, then more room around; what is equal there was drawn in random order.
    place = np.empty(len(parents), np.int64)
    place[np.lexsort((-crowd, rank))] = np.arange(len(parents))
    winners = np.where(place[pairs[..., 0]] <= place[pairs[..., 1]], pairs[..., 0], pairs[..., 1])
    first, second = parents[winners[0]], parents[winners[1]]
    cut = np.arange(width) >= rng.integers(1, max(width, 2), size=n)[:, None]
    free = rng.random((n, width)) < 0.5
    from_second = np.where((rng.random(n) < 0.5)[:, None], cut, free)
    from_second &= (rng.random(n) < _CROSSOVER_RATE)[:, None]
    children = np.where(from_second, second, first)
    options = np.array(space.cardinalities)
    flips = (rng.random((n, width)) < 1 / max(width, 1)) & (options > 1)
    other = (children + 1 + rng.integers(0, np.maximum(options - 1, 1), size=(n, width))) % options
    return space.canonicalize(np.where(flips, other, children))


def _survivors(
    costs: NDArray[np.float64], pool: NDArray[np.int64], n: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """The n best of a pool, best first, with their ranks and crowding distances."""
    if not len(pool):
        return pool, np.zeros(0, np.int64), np.zeros(0)
    here = costs[pool]
    rank = ranks(here, maximize=[False] * here.shape[1])
    crowd = crowding(here, rank)
    best = np.lexsort((-crowd, rank))[:n]
    return pool[best], rank[best], crowd[best]


def crowding(costs: NDArray[np.float64], rank: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n,) crowding distances among those of equal rank; infinite at the ends.

    Source: Deb et al., "A fast and elitist multiobjective genetic algorithm: NSGA-II", 2002.
    """
    n = len(costs)
    total = np.zeros(n)
    for column in costs.T if n else ():
        order = np.lexsort((column, rank))
        values, layer = column[order], rank[order]
        inner = np.zeros(n, bool)
        inner[1:-1] = (layer[1:-1] == layer[:-2]) & (layer[1:-1] == layer[2:])
        gap = np.full(n, np.inf)
        spread = float(column.max() - column.min()) or 1.0
        gap[1:-1][inner[1:-1]] = (values[2:] - values[:-2])[inner[1:-1]] / spread
        total[order] += gap
    return total
