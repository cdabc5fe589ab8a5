"""How the work of a training is spread over its phases, so that progress says which share of it is done.

A step of one phase may cost several times that of another: progressive shrinking trains one subnet a step at
first and four at the end, and asks a teacher besides. Strategies that only draw subnets are asked what
they would draw; of the others a step counts as so many random subnets as they say that it runs (`Strategy.passes`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.evaluation.costs import CostTable
from core.evaluation.work import ORDINARY, parts_of
from core.seeding import stream
from core.spaces import Arch
from core.supernets.base import Supernet
from core.training.draws import Draw, Phase
from core.training.film import Script
from core.training.losses.base import LOSSES, TEACHER
from core.training.strategies.base import Strategy

_LOOKS = 8
_FORWARD_AND_BACK = 3
"""A backward pass costs about twice a forward pass."""


@dataclass(frozen=True)
class EpochWork:
    """What an epoch costs, in seconds of an ordinary core.

    Attributes:
        step: one training step.
        steps: of the epoch.
        after: measuring once its steps are done.
    """

    step: float
    steps: int
    after: float

    @property
    def whole(self) -> float:
        return self.step * self.steps + self.after


class Plan:
    """The work of all epochs, one after another.

    Args:
        epochs: each of them.
    """

    def __init__(self, epochs: Sequence[EpochWork]) -> None:
        self._epochs = list(epochs)
        self._before = np.concatenate([[0.0], np.cumsum([e.whole for e in epochs])])

    def share(self, epoch: int, step: int = 0) -> float:
        """Share of the work that is done after some steps of an epoch, both from 0."""
        done = self._before[epoch]
        if step:
            done += self._epochs[epoch].step * step
        return min(1.0, float(done / self._before[-1]))


def with_frames(works: Sequence[EpochWork], script: Script | None) -> list[EpochWork]:
    """The work of every epoch with that of the film's frames."""
    due = set(script.epochs) if script is not None else set()
    frame = script.work if script is not None else 0.0
    return [
        replace(work, after=work.after + frame) if number in due else work
        for number, work in enumerate(works, 1)
    ]


def epoch_works(
    supernet: Supernet,
    strategy: Strategy,
    phases: Sequence[Phase],
    lengths: Sequence[int],
    *,
    steps: int,
    batch: int,
    shown: np.ndarray,
    measured: int,
    seed: int,
) -> list[EpochWork]:
    """The work of every epoch of a supernet's training.

    Args:
        supernet: what is trained.
        strategy: how.
        phases: of the strategy.
        lengths: epochs of each phase.
        steps: of an epoch.
        batch: samples of a step.
        shown: (m, d) architectures measured after every epoch.
        measured: samples they are measured on.
        seed: of the training; what is drawn here changes nothing of it.
    """
    table = CostTable.of(supernet)
    if supernet.task.whole:
        batch = measured = 1
    after = float((parts_of(table, shown, measured) @ ORDINARY).sum())
    epochs = []
    for phase, length in zip(phases, lengths, strict=True):
        step = _step(supernet, table, strategy, phase, batch, seed)
        epochs += [EpochWork(step, steps, after)] * length
    return epochs


def _step(
    supernet: Supernet, table: CostTable, strategy: Strategy, phase: Phase, batch: int, seed: int
) -> float:
    """Work of one step of a phase, the mean over a few."""
    space = supernet.space

    def seconds(archs: Sequence[Arch]) -> float:
        return float((parts_of(table, np.array(archs, np.uint8), batch) @ ORDINARY).sum())

    total = 0.0
    for look in range(_LOOKS):
        rng = stream(seed, "work", phase.name, look)
        if type(strategy).step is not Strategy.step:  # the second door: only its steps know what they draw
            one = seconds([phase.sample(space, rng)])
            total += _FORWARD_AND_BACK * strategy.passes(space, phase) * one
            continue
        draws = strategy.draws(space, phase, rng)
        total += _FORWARD_AND_BACK * sum(draw.passes * seconds([draw.arch]) for draw in draws)
        if space.ends is not None and _teacher(draws):
            total += seconds([space.largest])
    return total / _LOOKS


def _teacher(draws: Sequence[Draw]) -> bool:
    terms = [term for draw in draws for term in draw.losses]
    return any(TEACHER in LOSSES.create(term.loss, term.settings).needs for term in terms)
