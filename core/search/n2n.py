"""Layer removal, then shrinkage, by policy gradient: from the largest subnet to smaller ones that keep its accuracy.

A first policy removes: the last layers of a depth, and operations that the family knows a smallest one of. A second
one starts from the best that the first found and shrinks what is left, choice by choice in the order of the network,
seeing what it shrank before. Rewards are the paper's: accuracy relative to the largest subnet times C (2 - C), where C
is the share of parameters saved (of every minimized objective where parameters are not counted).

Differs from the paper: students inherit the supernet's weights instead of being distilled; each rollout has an
advantage of its own instead of the mean reward of all, which carries less noise; heads that are linear in a few numbers
stand for the LSTMs, because one teacher needs no reading of other teachers' layers; rewards of known students cost
nothing; and options without an order that are left are picked by the second policy, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.config import BaseConfig
from core.errors import InvalidInput
from core.records import Measurement
from core.search.base import ALGORITHMS, SearchAlgorithm
from core.search.distinct import DistinctDraws
from core.search.policy import Decision, Heads
from core.seeding import stream
from core.spaces import Arch, SearchSpace

_INVALID = -1.0
_SOFT_ITERATIONS = 15  # after which a student that breaks a bound has a reward of -1 or less
# Rollouts to students that are known, before a neighbor of the best one is measured.
_FREE_ROLLOUTS = 5
_NEIGHBORS = 24


@dataclass(frozen=True)
class _Rollout:
    """A student and the decisions that made it; none where it was drawn at random."""

    arch: Arch
    stage: int = 0
    decisions: tuple[Decision, ...] = ()


@dataclass(frozen=True)
class _Layer:
    """What one removal takes: `option` of a choice, if everything after it of the same choice went before."""

    choice: int
    option: int


def removable(space: SearchSpace) -> list[_Layer]:
    """Layers that a space can do without, each depth's last one first."""
    asked_by = {choice.requires[0] for choice in space.choices if choice.requires}
    found: list[_Layer] = []
    for index, choice in enumerate(space.choices):
        if choice.ordinal and (choice.kind == "depth" or choice.name in asked_by):
            found += [_Layer(index, option) for option in reversed(range(len(choice.options) - 1))]
        elif choice.ends and choice.ends[0] != choice.ends[1]:
            found.append(_Layer(index, choice.ends[0]))
    return found


def reward(accuracy: float, saved: Sequence[float]) -> float:
    """Accuracy relative to the teacher's, times C (2 - C) for each share C that is saved."""
    return float(accuracy * np.prod([c * (2 - c) for c in saved]))


@ALGORITHMS.register("n2n")
class N2N(SearchAlgorithm):
    """Removes layers of the largest subnet, then shrinks what is left, by two policies that learn from rewards."""

    label = "Remove and shrink (after N2N Learning)"
    source = "after Ashok et al., 'N2N Learning: Network to Network Compression via Policy Gradient Reinforcement Learning', ICLR 2018"

    class Config(BaseConfig):
        rollouts: int = Field(5, ge=2, le=1000, description="Students between two updates of a policy")
        removal_updates: int = Field(
            20, ge=0, le=100_000, description="Updates of the first policy before shrinking begins"
        )
        removal_rate: float = Field(0.1, gt=0, le=10, description="Learning rate of the first policy")
        shrink_rate: float = Field(0.1, gt=0, le=10, description="Learning rate of the second policy")
        baseline: float = Field(0.8, ge=0, lt=1, description="Memory of the running mean of rewards")

    def __init__(self, config: BaseConfig | None = None, **given: Any) -> None:
        super().__init__(config, **given)
        space = self.space
        if space.size > 1 and not removable(space) and not any(_shrinks(space, i) for i in range(len(space))):
            raise InvalidInput(
                "N2N removes and shrinks layers; the options of this space's choices do not go from small to large."
            )
        self._rng = stream(self.seed, "search", "n2n")
        self._draws = DistinctDraws(self.problem, self._rng)
        self._layers = removable(space)
        self._policies = (
            Heads([2] * len(self._layers), 1, self.config.removal_rate),
            Heads(space.cardinalities, 2, self.config.shrink_rate),
        )
        self._stage = 0 if self._layers and self.config.removal_updates else 1
        self._updates = 0
        self._mean: float | None = None
        self.teacher = largest(space)
        self._start = self.teacher
        self._known: dict[Arch, Measurement] = {}
        self._coming: dict[Arch, _Rollout] = {}
        self._finished: list[_Rollout] = []
        self._best: tuple[float, Arch] = (-np.inf, self.teacher)

    @property
    def batch_size(self) -> int:
        return int(self.config.rollouts)

    def ask(self, n: int) -> list[Arch]:
        found: list[Arch] = []
        while len(found) < n and not self._draws.exhausted:
            rollout = _Rollout(self.teacher) if self._take(self.teacher) else self._rolled_out()
            if rollout is None:
                break
            self._coming[rollout.arch] = rollout
            found.append(rollout.arch)
        return found

    def tell(self, measurements: Sequence[Measurement]) -> None:
        for measurement in measurements:
            arch = tuple(measurement.arch)
            self._draws.take(arch)
            self._known[arch] = measurement
        for measurement in measurements:
            arch = tuple(measurement.arch)
            # The second policy starts at, and neighbors are taken of, the best student, whoever proposed it.
            self._best = max(self._best, (self.reward(arch), arch))
            if (rollout := self._coming.pop(arch, None)) is not None:
                self._finish(rollout)

    def removal_probabilities(self) -> NDArray[np.float64]:
        """(removable layers,) chance that the first policy takes each, if it comes to it."""
        return np.array([self._policies[0].probabilities(i, (0.0,))[1] for i in range(len(self._layers))])

    def reward(self, arch: Arch) -> float:
        """Of a measured architecture; -1 where it is not known how good it is."""
        mine, teacher = self._known.get(arch), self._reference()
        if mine is None or teacher is None:
            return _INVALID
        accuracies: list[float] = []
        saved: list[float] = []
        for objective in self.objectives:
            value, of = (float(m.values.get(objective.name, np.nan)) for m in (mine, teacher))
            share = value / of if of > 0 else 1 + value - of
            if not np.isfinite(share):
                return _INVALID
            (accuracies if objective.maximize else saved).append(share if objective.maximize else 1 - share)
        counted = self._counted_saving(arch, tuple(teacher.arch))
        found = reward(float(np.prod(accuracies)), saved if counted is None else [counted])
        excess = float(self.problem.violations([mine])[0])
        if not excess:
            return found
        soft = float(np.clip(1 - self._updates / _SOFT_ITERATIONS, 0, 1)) ** 4
        return (soft - 1) + soft * found - min(excess, 1.0)

    # --- rolling out ----------------------------------------------------------------------------

    def _rolled_out(self) -> _Rollout | None:
        for _ in range(_FREE_ROLLOUTS):
            rollout = self._removed() if self._stage == 0 else self._shrunk()
            if self._take(rollout.arch):
                return rollout
            if rollout.arch in self._known:
                self._finish(rollout)
        for _ in range(_NEIGHBORS):
            near = self.space.mutate(self._best[1], self._rng, 1 / len(self.space))
            if self._take(near):
                return _Rollout(near)
        drawn = self._draws.draw(1)
        return _Rollout(drawn[0]) if drawn else None

    def _take(self, arch: Arch) -> bool:
        return bool(self._draws.admit([arch]))

    def _removed(self) -> _Rollout:
        student, decisions = list(self.teacher), []
        kept: set[int] = set()
        for head, layer in enumerate(self._layers):
            if layer.choice in kept:
                continue
            decision = self._policies[0].draw(head, (0.0,), self._rng)
            decisions.append(decision)
            if decision.option:
                student[layer.choice] = layer.option
            else:
                kept.add(layer.choice)
        return _Rollout(self.space.canonical(student), 0, tuple(decisions))

    def _shrunk(self) -> _Rollout:
        space = self.space
        fixed = {layer.choice for layer in self._layers} if self._updates_of_removal else set()
        student, decisions, last, shrunk = list(self._start), [], 0.0, 0.0
        for index, name in enumerate(space.names):
            options = space.cardinalities[index]
            if index in fixed or options < 2 or not space.is_active(student, name):
                continue
            decision = self._policies[1].draw(index, (last, shrunk), self._rng)
            decisions.append(decision)
            student[index] = decision.option
            last = 1 - decision.option / (options - 1)
            shrunk += last / len(space)
        return _Rollout(space.canonical(student), 1, tuple(decisions))

    @property
    def _updates_of_removal(self) -> bool:
        """Whether the first policy had a say, so that the second one leaves its choices alone."""
        return bool(self._layers) and self.config.removal_updates > 0

    # --- learning -------------------------------------------------------------------------------

    def _finish(self, rollout: _Rollout) -> None:
        if not rollout.decisions or rollout.stage != self._stage:
            return
        self._finished.append(rollout)
        if len(self._finished) < self.config.rollouts:
            return
        rewards = np.array([self.reward(r.arch) for r in self._finished])
        baseline = float(rewards.mean()) if self._mean is None else self._mean
        self._policies[self._stage].learn(
            [r.decisions for r in self._finished], (rewards - baseline).tolist()
        )
        memory = self.config.baseline
        self._mean = memory * baseline + (1 - memory) * float(rewards.mean())
        self._finished = []
        self._updates += 1
        if self._stage == 0 and self._updates >= self.config.removal_updates:
            self._stage, self._start, self._mean = 1, self._best[1], None

    def _reference(self) -> Measurement | None:
        """The teacher's measurement; the first complete one where the teacher has none."""
        names = [objective.name for objective in self.objectives]

        def complete(m: Measurement) -> bool:
            return all(np.isfinite(m.values.get(name, np.nan)) for name in names)

        teacher = self._known.get(self.teacher)
        if teacher is not None and complete(teacher):
            return teacher
        return next((m for m in self._known.values() if complete(m)), None)

    def _counted_saving(self, arch: Arch, teacher: Arch) -> float | None:
        if self.problem.counted is None:
            return None
        params = self.problem.counted(np.array([arch, teacher], np.uint8)).get("params")
        return None if params is None or not params[1] else float(1 - params[0] / params[1])


def largest(space: SearchSpace) -> Arch:
    """The architecture that everything is taken from; options without an order or ends stay at the first one."""
    if space.ends is not None:
        return space.ends[1]
    return space.canonical([(choice.extremes or (0, 0))[1] for choice in space.choices])


def _shrinks(space: SearchSpace, index: int) -> bool:
    return space.choices[index].ordinal and space.cardinalities[index] > 1
