"""BigNAS: the sandwich rule with in-place distillation, where the largest subnet alone is regularized."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from core.config import BaseConfig, Settings
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

    Residual branches are dropped the more often the later they come (elastic CNN, transformers, mobile networks and
    ResNets have some that can be), features before the last layer in these families and in cells and chains. The
    last scale of a residual branch starts at zero in the elastic CNN (for channels that the shortcut brings), the
    elastic convolution-transformer and the ResNets; in once-for-all's mobile networks it starts at one, and
    transformers have none. The learning rate falls exponentially to a floor of 5 % where nothing else is set
    (`suggests`); gradient entries are clipped to 1, the default of every training.
    """

    label = "BigNAS"
    source = "Yu et al., BigNAS, ECCV 2020"
    Config = Config
    needs_ends = True
    suggests: ClassVar[Settings] = {"schedule": "exponential", "final_share": 0.05}
    shareable = True

    def draws(self, space: SearchSpace, phase: Phase, rng: np.random.Generator) -> list[Draw]:
        others = [space.smallest, *(phase.sample(space, rng) for _ in range(self.config.n_random))]
        return [self.config.largest(space), *(Draw(arch, DISTILLED) for arch in others)]
