"""Budgets that different strategies share: equal steps, or equal forward passes with a gradient. No torch.

A step of one strategy trains one subnet, a step of another four. At equal steps the latter does four times the work;
at equal passes it gets a quarter of the epochs. Neither is the fair one: the first asks what the same number of
updates is worth, the second what the same work is worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from core.spaces import SearchSpace
from core.training.draws import Phase
from core.training.strategies.base import Strategy, epochs_of

MOST_EPOCHS = 2000
"""As many as a training may have."""


@dataclass(frozen=True)
class Priced:
    """A phase, and what one of its steps costs.

    Attributes:
        passes: forward passes with a gradient of one step.
        once: of what the phase begins with, counted in those of one subnet over one epoch.
    """

    phase: Phase
    passes: float
    once: float = 0.0


def priced(strategy: Strategy, space: SearchSpace, samples: int) -> tuple[Priced, ...]:
    """The phases of a strategy with their prices.

    Args:
        strategy: how it trains.
        space: what it trains.
        samples: of an epoch.
    """
    return tuple(
        Priced(phase, strategy.passes(space, phase), strategy.samples_at_start(space, phase) / samples)
        for phase in strategy.phases(space)
    )


def passes_in(phases: Sequence[Priced], epochs: int) -> float:
    """Passes of a training of so many epochs, counted in those of one subnet over one epoch.

    Raises:
        InvalidInput: there are fewer epochs than phases.
    """
    lengths = epochs_of([each.phase for each in phases], epochs)
    return sum(length * each.passes + each.once for each, length in zip(phases, lengths, strict=True))


def epochs_within(phases: Sequence[Priced], passes: float) -> int:
    """Whole epochs whose passes come nearest to so many, at least one per phase; of two equally near the fewer."""
    per_epoch = sum(each.phase.share * each.passes for each in phases)
    left = max(0.0, passes - sum(each.once for each in phases))
    guess = left / per_epoch if per_epoch > 0 else 0.0
    # Whole epochs per phase, at least one each, lie this far from the shares at most.
    room = 2 * len(phases) * ceil(max(each.passes for each in phases) / per_epoch) if per_epoch > 0 else 0
    first = max(len(phases), int(guess) - room)
    last = max(first, min(MOST_EPOCHS, int(guess) + room + 1))
    return min(range(first, last + 1), key=lambda n: (abs(passes_in(phases, n) - passes), n))


@dataclass(frozen=True)
class Allowance:
    """What one strategy may use.

    Attributes:
        epochs: of its training.
        passes: of these, counted as in `passes_in`.
        share: passes as a part of those that were to be spent; 1 where steps are what is equal.
    """

    epochs: int
    passes: float
    share: float = 1.0


def allowances(prices: Sequence[Sequence[Priced]], epochs: int, equal: str) -> tuple[Allowance, ...]:
    """What each of several strategies may use, the first one training for these epochs.

    Args:
        prices: phases of each.
        epochs: of the first.
        equal: "steps": all train for as many epochs. "passes": for as many as come nearest to the passes of the first.

    Raises:
        InvalidInput: there are fewer epochs than a strategy has phases.
    """
    first = passes_in(prices[0], epochs)
    found = []
    for phases in prices:
        own = epochs if equal == "steps" else epochs_within(phases, first)
        passes = passes_in(phases, own)
        found.append(Allowance(own, passes, 1.0 if equal == "steps" or not first else passes / first))
    return tuple(found)
