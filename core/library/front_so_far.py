"""The front of what a search has measured so far, and its hypervolume."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from core.library.evaluations import left_out
from core.pareto import hypervolume, non_dominated
from core.records import Measurement
from core.search import Problem
from core.search.base import cost_array

MARGIN = 0.1
"""How far beyond the worst value the reference point stands, so that extreme subnets count."""


class FrontSoFar:
    """The front of everything measured that keeps the problem's bounds, and its hypervolume.

    Args:
        problem: its objectives are the columns, in their order; its bounds hold for the front.
        fixed: objective -> reference value. The others get the first batch's worst value and a tenth
            of its range, so that a resumed run, which sees the same first batch, has the same reference.
    """

    def __init__(self, problem: Problem, fixed: Mapping[str, float]) -> None:
        self._problem = problem
        self._objectives = problem.objectives
        self._maximize = [o.maximize for o in problem.objectives]
        self._fixed = dict(fixed)
        self._points = np.zeros((0, len(problem.objectives)))
        self._evaluations = 0
        self._volume = 0.0
        self._left_out = 0
        self._outside = 0
        self.reference: dict[str, float] | None = None

    @property
    def metrics(self) -> dict[str, float]:
        """Evaluations, members of the front, hypervolume (product of the objectives' units)."""
        return {
            "evaluations": self._evaluations,
            "front_size": len(self._points),
            "hypervolume": self._volume,
        }

    def add(self, batch: Sequence[Measurement], *, evaluated: bool = True) -> None:
        """Take a batch in; what is only predicted or a proxy, or breaks a bound, stays off the front.

        Args:
            batch: in the order measured.
            evaluated: whether this search measured it; what an earlier one did is no evaluation.
        """
        if not batch:
            return
        names = [o.name for o in self._objectives]
        stands = np.array([m.may_stand(names) for m in batch])
        within = self._problem.violations(batch) == 0
        costs = np.where(stands[:, None], cost_array(batch, self._objectives), np.nan)
        self._left_out += int((~stands).sum())
        self._outside += int((stands & ~within).sum())
        signs = np.where(self._maximize, -1.0, 1.0)
        if self.reference is None:
            self.reference = self._chosen_reference(costs, signs)
        points = np.concatenate([self._points, costs[within] * signs])
        self._points = points[non_dominated(points, maximize=self._maximize)]
        self._evaluations += len(batch) if evaluated else 0
        corner = [self.reference[o.name] for o in self._objectives]
        self._volume = hypervolume(self._points, corner, maximize=self._maximize)

    def sentence(self, budget: int) -> str:
        """The numbers in words."""
        found = (
            f"{self._evaluations:,} of {budget:,} architectures measured, {len(self._points):,} on the front."
        )
        outside = f"{self._outside:,} of them break a bound." if self._outside else ""
        return " ".join(part for part in (found, outside, left_out(self._left_out, self._objectives)) if part)

    def _chosen_reference(self, costs: np.ndarray, signs: np.ndarray) -> dict[str, float]:
        chosen: dict[str, float] = {}
        for index, objective in enumerate(self._objectives):
            finite = costs[np.isfinite(costs[:, index]), index]
            worst = float(finite.max()) if len(finite) else 0.0
            spread = (worst - float(finite.min()) if len(finite) else 0.0) or abs(worst) or 1.0
            moved = float((worst + MARGIN * spread) * signs[index])
            chosen[objective.name] = self._fixed.get(objective.name, moved)
        return chosen
