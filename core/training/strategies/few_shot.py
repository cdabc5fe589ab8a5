"""Few-shot supernets: one is trained first, then split where its options disagree about shared weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from core.config import BaseConfig
from core.errors import InvalidInput
from core.spaces import SearchSpace
from core.training.actions import action
from core.training.draws import Draw, Phase
from core.training.strategies.base import STRATEGIES, Strategy

if TYPE_CHECKING:
    from torch import Tensor

    from core.supernets.parts import SplitConfig, Unlocked
    from core.tasks.base import Batch
    from core.training.session import Session

_MOST_OPTIONS = 12


class Config(BaseConfig):
    """Settings of few-shot training."""

    levels: int = Field(
        2, ge=1, le=4, description="How often every part is split in two; 2 make four parts in the end."
    )
    repeats: int = Field(
        20,
        ge=2,
        le=200,
        description="Architectures by which the options of a choice are compared; each takes a pass per option, beside those of steps.",
    )
    samples: int = Field(64, ge=8, le=4096, description="Training samples of each comparison.")
    restart: Literal["final", "none"] = Field(
        "final",
        description="Whether the last parts start from fresh weights (final), as the authors do, or go on from those of the supernet they came from (none).",
    )


@STRATEGIES.register("few_shot")
class FewShot(Strategy):
    """Trains one supernet, then splits it into parts with weights of their own where gradients disagree most.

    In a split supernet each step trains one random subnet of every part, so a step costs as many passes as there are
    parts. Comparing gradients takes passes beside those of steps.
    """

    label = "Few-shot by gradient matching"
    source = "Hu et al., Generalizing Few-Shot NAS with Gradient Matching, ICLR 2022 (groups of any size; only choices that every architecture makes; the learning rate begins anew after a split)"
    Config = Config

    def phases(self, space: SearchSpace) -> list[Phase]:
        levels = min(self.config.levels, len(splittable(space)))
        if not levels:
            return [Phase("whole")]
        share = 1 / (levels + 2)
        named = [Phase("whole", share)]
        for level in range(1, levels + 1):
            last = 2 * share if level == levels else share
            named.append(Phase(f"{2**level} parts", last, actions=("split_by_gradients",)))
        return named

    def passes(self, space: SearchSpace, phase: Phase) -> float:
        return float(2 ** [p.name for p in self.phases(space)].index(phase.name))

    def start(self, session: Session) -> None:
        from core.supernets.few_shot import parts_of

        if session.task.name != "image":
            raise InvalidInput(f"{self.label} splits supernets for images only. Choose another strategy.")
        if len(parts_of(session.net)) > 1:
            raise InvalidInput(f"This supernet is in parts already. {self.label} starts from a whole one.")

    def step(self, session: Session, batch: Batch) -> float:
        from core.supernets.few_shot import parts_of

        rng = session.rng("draws")
        archs = [Phase("part", unlocked=own).sample(session.space, rng) for own in parts_of(session.net)]
        return float(np.mean(session.train([Draw(arch) for arch in archs], batch)))


def splittable(space: SearchSpace) -> list[str]:
    """Choices that a supernet may be split by: every architecture makes them, and all ways to divide them can be compared."""
    return [c.name for c in space.choices if c.requires is None and 2 <= len(c.options) <= _MOST_OPTIONS]


@action("split_by_gradients")
def split_by_gradients(session: Session) -> None:
    """Split every part by the choice whose options disagree most; the parts' weights and momentum go on, or start anew."""
    from core.supernets.few_shot import came_from, parts_of, split
    from core.supernets.files import described, rebuilt

    strategy = session.strategy
    assert isinstance(strategy, FewShot)
    settings = strategy.config
    splits = [
        found for part in range(len(parts_of(session.net))) if (found := best_split(session, part, settings))
    ]
    if not splits:
        return
    made = split(session.net, splits)
    last = strategy.phases(session.space)[-1].name == session.phase.name
    if settings.restart == "final" and last:
        session.replace(fresh(session, described(made), rebuilt))
    else:
        session.replace(made, came_from(made, session.net))
