"""The scale an objective is learned on: without ends, of mean 0 and deviation 1.

A share of samples is learned as its logit: a point between 98 and 99 percent is worth more than one between 60 and 61.
Costs above zero are learned as logarithms, because choices multiply them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.predictors.base import Predicted
from core.records import Objective

_FINEST_SHARE = 1e-4
"""Shares are told apart at least this well, whatever their smallest step is."""
_WIDENED = 1.0
"""Guesses may leave the range of what was measured by this many times the range, and no further."""


@dataclass(frozen=True)
class Scale:
    """One objective's scale, fitted to what was measured of it.

    Attributes:
        kind: "share" (logit), "positive" (logarithm) or "plain".
        clip: a share is kept this far from 0 and 1: half the smallest step between shares, as if half a sample more
            had been right or wrong.
        center, spread: of what was measured, on the scale.
        low, high: what a guess is kept within, on the scale.
    """

    kind: Literal["share", "positive", "plain"]
    clip: float
    center: float
    spread: float
    low: float
    high: float

    @classmethod
    def of(cls, objective: Objective, values: NDArray[np.float64]) -> Scale:
        """The scale for (n,) finite values of an objective, n at least 1."""
        kind = _kind(objective, values)
        clip = _half_a_sample(values) if kind == "share" else 0.0
        raw = _bent(values, kind, clip)
        center, spread = float(raw.mean()), float(raw.std())
        low, high = float(raw.min()), float(raw.max())
        room = _WIDENED * (high - low)
        return cls(
            kind, clip, center, spread if spread > 1e-12 * (1 + abs(center)) else 1.0, low - room, high + room
        )

    def learned(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n,) values in the objective's unit -> on this scale."""
        return (_bent(values, self.kind, self.clip) - self.center) / self.spread

    def said(self, mean: NDArray[np.float64], deviation: NDArray[np.float64] | None = None) -> Predicted:
        """What (n,) means and deviations on this scale say in the objective's unit.

        A deviation is half the distance between what stands one deviation above and one below the mean.
        """
        middle = np.clip(mean * self.spread + self.center, self.low, self.high)
        if deviation is None:
            return Predicted(self._unbent(middle))
        around = deviation * self.spread
        room = np.maximum(self.high - self.low, 1e-12)
        up, down = middle + np.minimum(around, room), middle - np.minimum(around, room)
        return Predicted(self._unbent(middle), (self._unbent(up) - self._unbent(down)) / 2)

    def _unbent(self, bent: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.kind == "share":
            return np.asarray(1 / (1 + np.exp(-bent)))
        return np.exp(bent) if self.kind == "positive" else bent


def _kind(objective: Objective, values: NDArray[np.float64]) -> Literal["share", "positive", "plain"]:
    if objective.shown.symbol == "%" and values.min() >= 0 and values.max() <= 1:
        return "share"
    return "positive" if not objective.maximize and values.min() > 0 else "plain"


def _half_a_sample(values: NDArray[np.float64]) -> float:
    steps = np.diff(np.unique(np.concatenate([values, [0.0, 1.0]])))
    return float(np.clip(steps.min() / 2, _FINEST_SHARE / 2, 0.25))


def _bent(values: NDArray[np.float64], kind: str, clip: float) -> NDArray[np.float64]:
    if kind == "share":
        inside = np.clip(values, clip, 1 - clip)
        return np.log(inside / (1 - inside))
    if kind == "positive":
        return np.log(np.maximum(values, np.finfo(float).tiny))
    return np.asarray(values, float)
