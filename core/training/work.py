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
        before: what its phase begins with, in the phase's first epoch.
    """

    step: float
    steps: int
    after: float
    before: float = 0.0

    @property
    def whole(self) -> float:
        return self.before + self.step * self.steps + self.after


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
            done += self._epochs[epoch].before + self._epochs[epoch].step * step
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
        step, before = _step(supernet, table, strategy, phase, batch, seed)
        first = EpochWork(step, steps, after, before)
        epochs += [first, *[replace(first, before=0.0)] * (length - 1)]
    return epochs


def _step(
    supernet: Supernet, table: CostTable, strategy: Strategy, phase: Phase, batch: int, seed: int
) -> tuple[float, float]:
    """Work of one step of a phase, the mean over a few; and of what the phase begins with."""
    space = supernet.space

    def seconds(archs: Sequence[Arch], samples: int = batch) -> float:
        return float((parts_of(table, np.array(archs, np.uint8), samples) @ ORDINARY).sum())

    effort, second_door = strategy.effort(space, phase), type(strategy).step is not Strategy.step
    total = middling = begins = 0.0
    for look in range(_LOOKS):
        rng = stream(seed, "work", phase.name, look)
        arch = phase.sample(space, rng)
        middling += seconds([arch]) / _LOOKS
        begins += effort.begins * seconds([arch], 1 if supernet.task.whole else effort.samples) / _LOOKS
        if second_door:  # only its steps know what they draw
            continue
        draws = strategy.draws(space, phase, stream(seed, "work", phase.name, look))
        total += _FORWARD_AND_BACK * sum(draw.passes * seconds([draw.arch]) for draw in draws)
        if space.ends is not None and _teacher(draws):
            total += seconds([space.largest])
    if second_door:
        return (_FORWARD_AND_BACK * effort.passes + effort.looks) * middling, begins
    return total / _LOOKS, begins


def _teacher(draws: Sequence[Draw]) -> bool:
    terms = [term for draw in draws for term in draw.losses]
    return any(TEACHER in LOSSES.create(term.loss, term.settings).needs for term in terms)
