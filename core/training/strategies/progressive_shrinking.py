"""Progressive shrinking: train the full network, then unlock smaller settings one kind at a time."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from core.config import BaseConfig, Settings
from core.spaces import SearchSpace
from core.training.draws import LABELS, Draw, Phase, Term
from core.training.strategies.base import STRATEGIES, Strategy


class Config(BaseConfig):
    """Settings of progressive shrinking."""

    full_share: float = Field(
        0.3, gt=0, lt=1, description="Share of the epochs that train the full network alone."
    )
    learning_rate: float = Field(
        0.4, gt=0, le=1, description="Learning rate of the later phases, as a factor."
    )
    kernel_draws: int = Field(1, ge=1, le=8, description="Subnets per step while kernels are unlocked.")
    depth_draws: int = Field(2, ge=1, le=8, description="Subnets per step while depths are unlocked.")
    width_draws: int = Field(4, ge=1, le=8, description="Subnets per step while widths are unlocked.")


_TAUGHT = (Term("labels"), Term("distill_teacher"))
_FIRST = ("kernel", "depth")
"""Kinds in the order they are unlocked; what is neither comes last, in the order of the network."""
_FREE = "resolution"
"""Drawn anew at every step from the first on, as once-for-all does."""


@STRATEGIES.register("progressive_shrinking")
class ProgressiveShrinking(Strategy):
    """The full network first; then kernels, depths and widths are unlocked, taught by the frozen full network."""

    label = "Progressive shrinking"
    source = "Cai et al., Once-for-All, ICLR 2020 (inner channels of a block are sorted; its shortcut keeps outer ones in place)"
    Config = Config
    needs_order = True
    # Elastic kernels are learned transforms of the largest one.
    family_settings: ClassVar[Settings] = {"kernel_transform": True}
    shareable = True

    def phases(self, space: SearchSpace) -> list[Phase]:
        choices = [choice for choice in space.choices if choice.kind != _FREE]
        # A kind without a second option has nothing to unlock.
        kinds = list(dict.fromkeys(choice.kind for choice in choices if len(choice.options) > 1))
        order = [k for k in _FIRST if k in kinds] + [k for k in kinds if k not in _FIRST]
        steps = [(kind, half) for kind in order for half in self._halves(space, kind)]
        locked: dict[str, tuple[int, ...]] = {c.name: (len(c.options) - 1,) for c in choices}
        full_share = self.config.full_share if steps else 1.0
        phases = [Phase("full network", full_share, unlocked=dict(locked))]
        draws = {"kernel": self.config.kernel_draws, "depth": self.config.depth_draws}
        for index, (kind, half) in enumerate(steps):
            for choice in choices:
                if choice.kind == kind:
                    n = len(choice.options)
                    locked[choice.name] = tuple(range(n // 2 if half else 0, n))
            # Once, before the first width: later the prefixes that are already trained stay where they are.
            first_width = kind not in _FIRST and all(k in _FIRST for k, _ in steps[:index])
            actions = ("sort_channels",) * first_width + ("freeze_teacher",) * (index == 0)
            phases.append(
                Phase(
                    f"{_plural(kind)}, {'larger half' if half else 'all'}",
                    (1 - full_share) / len(steps),
                    self.config.learning_rate,
                    dict(locked),
                    draws.get(kind, self.config.width_draws),
                    actions,
                )
            )
        return phases

    @staticmethod
    def _halves(space: SearchSpace, kind: str) -> list[bool]:
        """With more than two options the larger half is unlocked first."""
        most = max(len(c.options) for c in space.choices if c.kind == kind)
        return [True, False] if most > 2 else [False]

    def draws(self, space: SearchSpace, phase: Phase, rng: np.random.Generator) -> list[Draw]:
        full = all(len(options) == 1 for options in phase.unlocked.values())
        losses = LABELS if full else _TAUGHT
        return [Draw(phase.sample(space, rng), losses) for _ in range(phase.draws)]


def _plural(kind: str) -> str:
    if not kind:
        return "other choices"
    return kind if kind.endswith("s") else f"{kind}s"
