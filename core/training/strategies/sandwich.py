"""The sandwich rule with in-place distillation."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from core.config import BaseConfig
from core.spaces import SearchSpace
from core.training.draws import LABELS, Draw, Phase, Term
from core.training.strategies.base import STRATEGIES, Strategy


class Config(BaseConfig):
    """Settings of the sandwich rule."""

    n_random: int = Field(
        2, ge=0, le=16, description="Random subnets per step, beside the largest and the smallest."
    )
    distill: bool = Field(
        True, description="All but the largest learn from the largest one's output instead of the labels."
    )
    distillation: Literal["soft labels", "alpha-divergence", "features", "relations"] = Field(
        "soft labels",
        description="How they learn from it: by its answers, or by its activations besides.",
    )


_DISTILLATIONS = {
    "soft labels": (Term("distill_largest"),),
    "alpha-divergence": (Term("alpha_divergence"),),
    "features": (Term("distill_largest"), Term("feature")),
    "relations": (Term("distill_largest"), Term("relation")),
}


@STRATEGIES.register("sandwich")
class Sandwich(Strategy):
    """Each step trains the largest, the smallest and some random subnets; the largest teaches the others."""

    label = "Sandwich rule"
    source = "Yu and Huang, Universally Slimmable Networks and Improved Training Techniques, ICCV 2019"
    Config = Config
    needs_ends = True
    shareable = True

    def draws(self, space: SearchSpace, phase: Phase, rng: np.random.Generator) -> list[Draw]:
        losses = _DISTILLATIONS[self.config.distillation] if self.config.distill else LABELS
        others = [space.smallest, *(phase.sample(space, rng) for _ in range(self.config.n_random))]
        return [Draw(space.largest), *(Draw(arch, losses) for arch in others)]
