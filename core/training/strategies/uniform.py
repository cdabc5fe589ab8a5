"""Uniform single path."""

from __future__ import annotations

import numpy as np

from core.spaces import SearchSpace
from core.training.draws import Draw, Phase
from core.training.strategies.base import STRATEGIES, Strategy


@STRATEGIES.register("uniform")
class Uniform(Strategy):
    """One random subnet per step, every option of every choice equally likely."""

    label = "Uniform single path"
    source = "Guo et al., Single Path One-Shot NAS with Uniform Sampling, ECCV 2020"
    shareable = True

    def draws(self, space: SearchSpace, phase: Phase, rng: np.random.Generator) -> list[Draw]:
        return [Draw(phase.sample(space, rng))]
