"""SortedNet: a nested family of subnets, trained by random draws and accumulated gradients."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from core.config import BaseConfig
from core.spaces import Arch, SearchSpace
from core.training.draws import Draw, Phase
from core.training.strategies.base import STRATEGIES, Strategy


class Config(BaseConfig):
    """Settings of SortedNet."""

    n_nested: int = Field(
        4, ge=2, le=32, description="Number of nested subnets, from the smallest to the largest."
    )
    accumulate: int = Field(2, ge=1, le=16, description="Draws whose gradients add up to one step.")


@STRATEGIES.register("sorted_net")
class SortedNet(Strategy):
    """Draws from a chain of nested subnets, each containing the one before; labels only, no teacher."""

    label = "SortedNet"
    source = "Inspired by Valipour et al., SortedNet, 2023 (no official code to compare with)"
    Config = Config
    needs_order = True
    shareable = True

    def nested(self, space: SearchSpace) -> list[Arch]:
        """The chain: every choice grows from its first to its last option in equal steps."""
        last = np.array(space.cardinalities) - 1
        shares = np.linspace(0, 1, self.config.n_nested)
        return [space.canonical([int(v) for v in np.round(share * last)]) for share in shares]

    def draws(self, space: SearchSpace, phase: Phase, rng: np.random.Generator) -> list[Draw]:
        chain = self.nested(space)
        return [Draw(chain[int(i)]) for i in rng.integers(len(chain), size=self.config.accumulate)]
