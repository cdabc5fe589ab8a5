"""The contract of predictors: learn one objective from measured architectures, guess it for others.

What a predictor says is a guess: it may choose what to measure next, and never stands on a front. It sees
architectures in canonical form, so choices that do not matter carry nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.config import BaseConfig, Plugin
from core.records import Objective
from core.registry import Registry
from core.spaces import Archs, SearchSpace

PREDICTORS: Registry[Predictor] = Registry("predictor", "core.predictors", "PREDICTORS")


@dataclass(frozen=True, eq=False)
class Predicted:
    """Guesses of one objective.

    Attributes:
        mean: (n,) in the objective's unit.
        deviation: (n,) standard deviation of a new measurement around `mean`, noise included; None where the
            predictor gives none.
    """

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64] | None = None


class Predictor(Plugin, ABC):
    """Learns one objective of one space.

    Args:
        config: the predictor's settings; None for the defaults.
        space: of the architectures.
        objective: what is learned; a share of samples is learned on a scale without ends.
        seed: decides every draw.
    """

    def __init__(
        self, config: BaseConfig | None = None, *, space: SearchSpace, objective: Objective, seed: int
    ) -> None:
        super().__init__(config)
        self.space = space
        self.objective = objective
        self.seed = int(seed)

    @abstractmethod
    def fit(
        self, rows: Archs, values: NDArray[np.float64], beside: NDArray[np.float64] | None = None
    ) -> None:
        """Learn from scratch.

        Args:
            rows: (n, d) measured architectures, canonical, all different.
            values: (n,) finite values of the objective, in its unit.
            beside: (n, k) numbers known of every architecture beforehand (its counted costs), if there are any.
        """

    @abstractmethod
    def predict(self, rows: Archs, beside: NDArray[np.float64] | None = None) -> Predicted:
        """Guess (m, d) canonical architectures; `beside` as in `fit`."""
