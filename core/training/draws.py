"""What a strategy says: phases of a training, and the subnets of a step with what each minimizes. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from pydantic import JsonValue

from core.errors import InvalidInput
from core.spaces import Arch, SearchSpace

_MOST_DRAWS = 100


@dataclass(frozen=True)
class Term:
    """One summand of what a draw minimizes.

    Attributes:
        loss: registered name (core.training.losses).
        weight: factor.
        settings: the loss's own.
    """

    loss: str
    weight: float = 1.0
    settings: Mapping[str, JsonValue] = field(default_factory=dict)


LABELS = (Term("labels"),)


@dataclass(frozen=True)
class Draw:
    """One subnet of one step, and what it minimizes: the sum of the losses, each with its weight.

    Attributes:
        arch: the subnet.
        losses: what it minimizes.
        part: (i, n): it learns from the i-th of n equal parts of the batch, which counts one n-th; None: from all of it.
        drop_path: probability that a residual branch is left out for a sample, in families that have some.
        dropout: probability that a feature is zeroed before the last layer, in families that do so.
    """

    arch: Arch
    losses: tuple[Term, ...] = LABELS
    part: tuple[int, int] | None = None
    drop_path: float = 0.0
    dropout: float = 0.0

    @property
    def passes(self) -> float:
        """Forward passes with a gradient that it costs; a part of a batch is that part of one."""
        return 1.0 if self.part is None else 1.0 / self.part[1]


@dataclass(frozen=True)
class Phase:
    """A stretch of training.

    Attributes:
        name: what a person reads.
        share: of all epochs; shares of a strategy's phases sum to 1.
        learning_rate: factor on the configured rate.
        unlocked: choice -> option indices that may be drawn; a choice that is absent is free.
        draws: subnets per step.
        actions: names of what is done at its start, in this order (core.training.actions).
    """

    name: str
    share: float = 1.0
    learning_rate: float = 1.0
    unlocked: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    draws: int = 1
    actions: tuple[str, ...] = ()

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
