"""How good a predictor is on measured architectures: by folds that it did not see.

Kendall's tau says whether it puts them in the right order, coverage whether its intervals hold what they promise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from core.config import Settings
from core.predictors.base import PREDICTORS
from core.predictors.folds import folds_of
from core.rank_correlation import kendall
from core.records import Objective
from core.spaces import Archs, SearchSpace

FOLDS = 5
LEVELS = (0.5, 0.8, 0.95)
"""Intervals whose coverage is counted."""


@dataclass(frozen=True, eq=False)
class Judged:
    """One predictor on some rows.

    Attributes:
        guesses: (n,) in the objective's unit, each by a fit without the row's fold.
        deviations: (n,) of a new measurement, None where the predictor gives none.
        folds: (n,) which fold a row was in.
        values: (n,) what was measured.
    """

    guesses: NDArray[np.float64]
    deviations: NDArray[np.float64] | None
    folds: NDArray[np.int64]
    values: NDArray[np.float64]

    @property
    def taus(self) -> list[float]:
        """Kendall's tau-b of each fold; folds without an order (a constant guess) count as 0."""
        return [
            kendall(self.guesses[rows], self.values[rows]) or 0.0
            for fold in range(int(self.folds.max()) + 1)
            if (rows := self.folds == fold).sum() > 1
        ]

    @property
    def error(self) -> float:
        """Mean absolute error, in the objective's unit."""
        return float(np.mean(np.abs(self.guesses - self.values)))

    @property
    def coverage(self) -> Mapping[float, float]:
        """Level -> share of rows whose value lies in the interval of that level; empty without deviations."""
        if self.deviations is None:
            return {}
        off = np.abs(self.guesses - self.values)
        return {
            level: float(np.mean(off <= NormalDist().inv_cdf((1 + level) / 2) * self.deviations + 1e-12))
            for level in LEVELS
        }


def judge(
    name: str,
    *,
    space: SearchSpace,
    objective: Objective,
    rows: Archs,
    values: NDArray[np.float64],
    beside: NDArray[np.float64] | None = None,
    settings: Settings | None = None,
    folds: int = FOLDS,
    seed: int = 0,
) -> Judged:
    """Fit a predictor to all folds but one, guess that one, and go on.

    Args:
        name: registry name of the predictor.
        space: of the rows.
        objective: what the values are of.
        rows: (n, d) canonical architectures, all different, at least two per fold.
        values: (n,) finite.
        beside: (n, k) what is known of them beforehand.
        settings: of the predictor.
        folds: how many.
        seed: of the folds and the predictor.

    Raises:
        NotFound, InvalidInput: there is no such predictor, or a setting does not fit.
    """
    which = folds_of(len(rows), folds, seed)
    guesses, deviations = np.empty(len(rows)), np.full(len(rows), np.nan)
    for fold in range(folds):
        out = which == fold
        predictor = PREDICTORS.create(name, settings, space=space, objective=objective, seed=seed)
        predictor.fit(rows[~out], values[~out], None if beside is None else beside[~out])
        said = predictor.predict(rows[out], None if beside is None else beside[out])
        guesses[out] = said.mean
        if said.deviation is not None:
            deviations[out] = said.deviation
    known = bool(np.isfinite(deviations).all())
    return Judged(guesses, deviations if known else None, which, values)
