"""BigNAS: the sandwich rule with in-place distillation, where the largest subnet alone is regularized."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from core.config import BaseConfig
from core.spaces import SearchSpace
from core.training.draws import Draw, Phase, Term
from core.training.strategies.base import STRATEGIES, Strategy

DISTILLED = (Term("distill_largest"),)


class Regularized(BaseConfig):
    """How the largest subnet is regularized, and no other."""

    smoothing: float = Field(0.1, ge=0, lt=1, description="Label smoothing of the largest subnet.")
    dropout: float = Field(0.2, ge=0, lt=1, description="Dropout of the largest subnet's features.")
    drop_path: float = Field(
        0.2,
        ge=0,
        lt=1,
        description="How often a sample skips the largest subnet's last residual branch; earlier ones less.",
    )

    def largest(self, space: SearchSpace) -> Draw:
        """The largest subnet, which learns from the labels."""
        losses = (Term("labels", settings={"smoothing": self.smoothing}),)
        return Draw(space.largest, losses, drop_path=self.drop_path, dropout=self.dropout)


class Config(Regularized):
    """Settings of BigNAS."""

    n_random: int = Field(
        2, ge=0, le=16, description="Random subnets per step, beside the largest and the smallest."
    )


@STRATEGIES.register("bignas")
class BigNAS(Strategy):
    """The sandwich rule, regularizing the largest subnet alone: smoothed labels, dropout, dropped paths; it teaches the others.

    Residual branches are dropped the more often the later they come, in families that have some (elastic CNN, the
    transformers, the mobile networks and ResNets); dropout is before the last layer, in the same families and those of cells and chains.
    Where the last normalization of a residual branch has a scale it starts at zero, as the paper wants (elastic CNN, where the
    shortcut brings the channel, elastic conv-transformer and ResNet; the once-for-all mobile networks start at one, and transformers have no such scale).
    What belongs to every training is set there: the paper's learning rate decays exponentially to a floor of 5 % (`schedule`
    exponential, `final_share` 0.05; with the cosine its followers report the same), and gradient entries are clipped to 1, the default.
    """

    label = "BigNAS"
    source = "Yu et al., BigNAS, ECCV 2020 (its learning-rate tail is a setting of the training: exponential, floor 5 %)"
    Config = Config
    needs_ends = True

    def draws(self, space: SearchSpace, phase: Phase, rng: np.random.Generator) -> list[Draw]:
        others = [space.smallest, *(phase.sample(space, rng) for _ in range(self.config.n_random))]
        return [self.config.largest(space), *(Draw(arch, DISTILLED) for arch in others)]
