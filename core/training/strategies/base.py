"""The strategy contract: phases of a training, and the subnets each step draws.

The loop asks `phases` once, then `draws` at every step with a generator made from the seed and the
step's number: a strategy holds no state, so a resumed run draws what an uninterrupted one draws. It
owns no weights and no optimizer. Gradients of a step's draws add up before one optimizer step.

A draw learns from the labels, from the detached output of the step's largest subnet (in-place
distillation), or from a teacher that the loop froze when a phase asked for it. No torch here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

import numpy as np

from core.config import Plugin
from core.errors import InvalidInput
from core.registry import Registry
from core.spaces import Arch, SearchSpace

STRATEGIES: Registry[Strategy] = Registry("strategy", "core.training.strategies", "STRATEGIES")
_MOST_DRAWS = 100


class Target(StrEnum):
    """What a draw is taught by."""

    LABELS = "labels"
    LARGEST = "largest"
    """Only the detached output of this step's first draw, which must learn from labels."""
    TEACHER = "teacher"
    """The frozen teacher's output and the labels, summed."""


@dataclass(frozen=True)
class Draw:
    """One subnet of one step."""

    arch: Arch
    target: Target = Target.LABELS


@dataclass(frozen=True)
class Phase:
    """A stretch of training.

    Attributes:
        name: what a person reads.
        share: of all epochs; shares of a strategy's phases sum to 1.
        learning_rate: factor on the configured rate.
        unlocked: choice -> option indices that may be drawn; a choice that is absent is free.
        draws: subnets per step.
        freeze_teacher: keep a copy of the weights as they are at its start as the teacher from here on.
        sort_channels: order each block's inner channels by importance at its start.
    """

    name: str
    share: float = 1.0
    learning_rate: float = 1.0
    unlocked: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    draws: int = 1
    freeze_teacher: bool = False
    sort_channels: bool = False

    def sample(self, space: SearchSpace, rng: np.random.Generator) -> Arch:
        """An architecture whose every choice is uniform over what is unlocked.

        One whose output cannot depend on its input has nothing to learn and is drawn anew: NAS-Bench-201's
        cells are uniform over the 15,284 of 15,625 that pass their input on.

        Raises:
            InvalidInput: a hundred draws in a row compute nothing.
        """
        for _ in range(_MOST_DRAWS):
            picked = []
            for choice in space.choices:
                allowed = self.unlocked.get(choice.name, range(len(choice.options)))
                picked.append(allowed[int(rng.integers(len(allowed)))])
            arch = space.canonical(picked)
            if space.computes(arch):
                return arch
        raise InvalidInput(
            "Hardly any architecture of this space computes something: there is nothing to train."
        )


class Strategy(Plugin, ABC):
    """Says which subnets each step trains.

    Attributes:
        needs_ends: it trains the smallest and the largest architecture, which not every space has.
        needs_order: it needs the options of every choice to be ordered, each containing the one before.
        family_settings: settings that it fixes in families that have them.
    """

    needs_ends: ClassVar[bool] = False
    needs_order: ClassVar[bool] = False
    family_settings: ClassVar[Mapping[str, Any]] = {}

    def check(self, space: SearchSpace) -> None:
        """Refuse a space that this strategy cannot train.

        Raises:
            InvalidInput: it needs an order or ends that the space does not have.
        """
        unordered = next((c.name for c in space.choices if not c.ordinal), None)
        if self.needs_order and unordered is not None:
            raise InvalidInput(
                f"{self.label} needs choices whose options stand in order, each containing the one before; "
                f"those of {unordered} do not. Choose another strategy."
            )
        if self.needs_ends and space.ends is None:
            raise InvalidInput(
                f"{self.label} trains the smallest and the largest architecture, and this space has none. "
                "Choose another strategy."
            )

    def phases(self, space: SearchSpace) -> list[Phase]:
        """The phases in order; by default one, with everything unlocked."""
        return [Phase(self.name)]

    @abstractmethod
    def draws(self, space: SearchSpace, phase: Phase, rng: np.random.Generator) -> list[Draw]:
        """The subnets of one step, in the order they are run."""


def epochs_of(phases: Sequence[Phase], total: int) -> list[int]:
    """Whole epochs per phase, at least one each, otherwise by their shares; they sum to `total`.

    Every phase has at least one because a phase may do at its start what later ones build on.

    Raises:
        InvalidInput: there are fewer epochs than phases.
    """
    if total < len(phases):
        raise InvalidInput(
            f"This strategy trains in {len(phases)} phases; give it at least {len(phases)} epochs."
        )
    edges = np.round(np.cumsum([0.0, *(p.share for p in phases)]) * (total - len(phases))).astype(int)
    return [1 + int(n) for n in np.diff(edges)]
