"""Several architectures in one batch: each part of it trains another one; together they cost one pass."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from core.config import BaseConfig
from core.errors import InvalidInput
from core.spaces import SearchSpace
from core.training.balancing import balanced, largest_first
from core.training.draws import Draw, Phase
from core.training.strategies.base import STRATEGIES, Strategy

if TYPE_CHECKING:
    from core.tasks.base import Batch
    from core.training.session import Session


class Config(BaseConfig):
    """Settings of several architectures in one batch."""

    parts: int = Field(4, ge=2, le=64, description="Equal parts of a batch; each trains another subnet.")
    warmup: float = Field(
        0.25,
        ge=0,
        lt=1,
        description="Share of the training in which ordered choices get their smaller options, the largest first.",
    )


@STRATEGIES.register("balanced_batch")
class BalancedBatch(Strategy):
    """Cuts each batch into parts that train a subnet each; their options are balanced, choice by choice.

    The paper runs a whole batch through the largest layers and masks the channels that a sample's subnet does not
    have. Its masked LayerNorm then computes what slicing computes; a masked BatchNorm would not, since its statistics
    mix the samples of all subnets, and masks cost the largest subnet's time for every sample. Here each part goes
    through its own slices: the gradients are the same, exactly and in every family, a BatchNorm layer sees one
    subnet's samples alone, and a small subnet costs what it costs. A pass is counted in samples: several small batches
    through a tiny network take longer than a large one (about twice, four parts of 16 digits).
    """

    label = "Balanced batch"
    source = (
        "Liao et al., Searching for Efficient Multi-Stage Vision Transformers (ViT-ResNAS), 2021 "
        "(multi-architectural sampling; slices instead of masks, and no mixing of tokens)"
    )
    Config = Config
    shareable = True

    def unlocked(self, space: SearchSpace, progress: float) -> dict[str, tuple[int, ...]]:
        """Options that may be taken after a share of the training; see `largest_first`."""
        return largest_first(space, progress, self.config.warmup)

    def passes(self, space: SearchSpace, phase: Phase) -> float:
        return 1.0

    def draws(self, space: SearchSpace, phase: Phase, rng: np.random.Generator) -> list[Draw]:
        parts = self.config.parts
        rows = balanced(space, parts, 1, rng, phase.unlocked)[0].tolist()
        return [Draw(tuple(row), part=(index, parts)) for index, row in enumerate(rows)]

    def step(self, session: Session, batch: Batch) -> float:
        if len(batch) < 2 * self.config.parts:
            raise InvalidInput(
                f"{self.label} cuts batches of {len(batch)} samples into {self.config.parts} parts, and a part needs two: "
                "choose larger batches or fewer parts."
            )
        phase = dataclasses.replace(session.phase, unlocked=self.unlocked(session.space, session.progress))
        draws = self.draws(session.space, phase, session.rng("draws"))
        return float(np.mean(session.train(draws, batch)))
