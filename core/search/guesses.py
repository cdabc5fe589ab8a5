"""What a search believes of architectures it has not measured: predictors for what must be measured, counts for the rest.

Guesses choose what to measure next. They are never told to anybody as measurements.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from core.config import Settings
from core.pareto import non_dominated, violations
from core.predictors import PREDICTORS, Predictor
from core.records import Measurement, Objective, Source
from core.search.problem import Problem
from core.spaces import Arch, Archs

_FEWEST = 4
"""Measurements of an objective below which nothing is guessed."""
# In units of an objective's spread: more than any architecture that keeps the bounds is better than another.
_BEYOND = 1e3

Columns = Mapping[str, NDArray[np.float64]]


class Guesses:
    """Learns what must be measured of a problem's objectives and bounds, and prices architectures by it.

    Args:
        problem: what is searched for; what is counted is looked up, not learned.
        predictor: registry name of what learns each of the others.
        settings: of the predictor.
        seed: decides its draws.
    """

    def __init__(self, problem: Problem, predictor: str, settings: Settings, seed: int) -> None:
        self._problem = problem
        self._names = [o.name for o in problem.objectives]
        self._signs = np.array([-1.0 if o.maximize else 1.0 for o in problem.objectives])
        known = problem.known(np.zeros((1, len(problem.space)), np.uint8))
        self._learners: dict[str, Predictor] = {
            o.name: PREDICTORS.create(predictor, settings, space=problem.space, objective=o, seed=seed)
            for o in _learned(problem)
            if o.name not in known
        }
        self._told: dict[Arch, Mapping[str, float]] = {}
        self._fresh = False
        self._ready = False

    def __len__(self) -> int:
        """Number of architectures told."""
        return len(self._told)

    def tell(self, measurements: Sequence[Measurement]) -> None:
        """Take measurements in; a value that is missing or not finite teaches nothing of its objective."""
        self._told.update((tuple(m.arch), m.values) for m in measurements)
        self._fresh = self._fresh and not measurements

    def front(self) -> tuple[Archs, NDArray[np.float64]]:
        """(k, d) measured architectures that no other beats and that keep the bounds, and their (k, m) costs."""
        rows, costs = self.measured()
        best = non_dominated(costs, maximize=[False] * costs.shape[1])
        return rows[best], costs[best]

    def measured(self) -> tuple[Archs, NDArray[np.float64]]:
        """(n, d) architectures whose objectives are all known and that keep the bounds, and their (n, m) costs."""
        rows, table = self._table()
        costs = np.stack([table[name] for name in self._names], axis=1) * self._signs
        sound = np.isfinite(costs).all(axis=1)
        if self._problem.constraints:
            sound &= violations(table, self._problem.constraints) == 0
        return rows[sound], costs[sound]

    def fit(self) -> bool:
        """Learn from everything told; False if that is too little to guess from."""
        if not self._fresh:
            self._fresh, self._ready = True, self._fitted()
        return self._ready

    def _fitted(self) -> bool:
        rows, table = self._table()
        beside = _stacked(self._problem.known(rows))
        for name, learner in self._learners.items():
            finite = np.isfinite(table[name])
            if finite.sum() < _FEWEST:
                return False
            learner.fit(rows[finite], table[name][finite], None if beside is None else beside[finite])
        costs = np.stack([table[name] for name in self._names], axis=1)
        costs = costs[np.isfinite(costs).all(axis=1)]
        self._spread = np.ptp(costs, axis=0) + 1e-9 if len(costs) else np.ones(len(self._names))
        return True

    def costs(self, rows: Archs) -> NDArray[np.float64]:
        """(n, m) expected costs; what breaks a bound by them is worse than everything that breaks none."""
        table = self._guessed(rows)[0]
        costs = np.stack([table[name] for name in self._names], axis=1) * self._signs
        if self._problem.constraints:
            broken = violations(table, self._problem.constraints)
            costs += (np.where(broken > 0, _BEYOND * (1 + np.minimum(broken, _BEYOND)), 0.0))[
                :, None
            ] * self._spread
        return costs

    def distributions(self, rows: Archs) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(n, m) expected costs and deviations; no deviation where something is counted or the predictor gives none."""
        table, deviations = self._guessed(rows)
        mean = np.stack([table[name] for name in self._names], axis=1) * self._signs
        return mean, np.stack([deviations.get(n, np.zeros(len(rows))) for n in self._names], axis=1)

    def sound(self, rows: Archs) -> NDArray[np.bool_]:
        """(n,) whether architectures are expected to keep the bounds."""
        if not self._problem.constraints:
            return np.ones(len(rows), bool)
        return np.asarray(violations(self._guessed(rows)[0], self._problem.constraints) == 0)

    def _guessed(self, rows: Archs) -> tuple[Columns, Columns]:
        known = self._problem.known(rows)
        beside = _stacked(known)
        means, deviations = dict(known), {}
        for name, learner in self._learners.items():
            said = learner.predict(rows, beside)
            means[name] = said.mean
            if said.deviation is not None:
                deviations[name] = said.deviation
        return means, deviations

    def _table(self) -> tuple[Archs, dict[str, NDArray[np.float64]]]:
        """What was told; what is counted is looked up, so that a broken measurement loses nothing of it."""
        rows = np.array(list(self._told), np.uint8).reshape(len(self._told), len(self._problem.space))
        names = dict.fromkeys([*self._names, *self._learners])
        told = {n: np.array([float(v.get(n, np.nan)) for v in self._told.values()]) for n in names}
        return rows, {**told, **self._problem.known(rows)}


def _learned(problem: Problem) -> list[Objective]:
    """The objectives, and what else is bounded."""
    names = {o.name for o in problem.objectives}
    bounded = dict.fromkeys(c.objective for c in problem.constraints if c.objective not in names)
    return [*problem.objectives, *(Objective(n, n, "", False, Source.MEASURED, "") for n in bounded)]


def _stacked(known: Columns) -> NDArray[np.float64] | None:
    return np.stack([known[name] for name in sorted(known)], axis=1) if known else None
