"""Mutation whose aim is learned: Q-learning says which group of choices to change, and how strongly.

Several walkers improve an architecture each, toward a mix of the objectives of its own. A step changes one group of
choices: a choice that others depend on, the choices of a block that a depth switches on, or any other choice. How much
better the child is rewards the group in the walker's state, which is what the choices that others depend on say (the
template), and whether the last step helped. A better child is kept, a worse one now and then; one that is not kept
rewards nothing, for punished by every child that is worse, what matters most would be left alone. Rewards are in
parts of the usual gain, so that the temperature means the same on every problem.

No code of the paper is public, so the constants are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.config import BaseConfig
from core.records import Measurement
from core.search.base import ALGORITHMS, SearchAlgorithm, cost_array
from core.search.distinct import DistinctDraws
from core.seeding import stream
from core.spaces import Arch, SearchSpace

# Steps to architectures that are known, and cost nothing, before one farther away is taken.
_FREE_STEPS = 16
_TRIES = 32
# A gain beyond this counts as better or worse, not as the same.
_SAME = 1e-9
# Loss of what breaks a bound, besides how far it does: more than of anything that breaks none.
_BROKEN = 10.0
_LOWEST, _HIGHEST = 0.05, 0.95
_SMALL, _LARGE = 0, 1
_WORSE, _LIKE, _BETTER = 0, 1, 2

State = tuple[Arch, int]
"""(options of the choices that others depend on, how the last step went)."""


@dataclass(frozen=True)
class _Step:
    """A child on its way: whose it is, and which action of which state made it; no action for a first one."""

    walker: int
    state: State | None = None
    action: tuple[int, int] = (0, 0)


def choice_groups(space: SearchSpace) -> tuple[tuple[int, ...], ...]:
    """Positions of choices that are changed together: those with the same condition; every other one alone."""
    found: dict[object, list[int]] = {}
    for index, choice in enumerate(space.choices):
        if len(choice.options) > 1:
            found.setdefault(choice.requires or choice.name, []).append(index)
    return tuple(tuple(group) for group in found.values())


@ALGORITHMS.register("hhnas_am")
class AdaptiveMutation(SearchAlgorithm):
    """Walkers that learn by Q-learning which choices to change, and whether a little or a lot."""

    label = "Adaptive mutation (after HHNAS-AM)"
    source = "after 'Hierarchical Hybrid Neural Architecture Search using Adaptive Mutation Policies' (HHNAS-AM), 2025"

    class Config(BaseConfig):
        walkers: int = Field(8, ge=1, le=1000, description="Architectures that are improved side by side")
        learning_rate: float = Field(0.1, ge=0, le=1, description="Of the values; 0 learns nothing")
        discount: float = Field(0.5, ge=0, lt=1, description="What the next step's value counts")
        temperature: float = Field(
            0.05, gt=0, le=10, description="Of the choice by value; larger is more even"
        )
        explore_first: float = Field(0.3, ge=0, le=1, description="Chance at first to change any group")
        explore_last: float = Field(0.05, ge=0, le=1, description="Chance in the end to change any group")
        explore_steps: int = Field(200, ge=1, le=10**6, description="Steps until the chance is the last one")
        accept_worse: float = Field(0.05, ge=0, le=1, description="Chance to go on from a worse child")
        adaptive: bool = Field(True, description="Choose groups by their values, not all alike")

    def __init__(self, config: BaseConfig | None = None, **given: Any) -> None:
        super().__init__(config, **given)
        self._rng = stream(self.seed, "search", "hhnas_am")
        self._draws = DistinctDraws(self.problem, self._rng)
        self._groups = choice_groups(self.space)
        asked_by = {c.requires[0] for c in self.space.choices if c.requires}
        self._template = [i for i, name in enumerate(self.space.names) if name in asked_by]
        self._weights = _weights(self.config.walkers, len(self.objectives), self._rng)
        self._parents: list[Arch | None] = [None] * self.config.walkers
        self._mood = [_LIKE] * self.config.walkers
        self._values: dict[State, NDArray[np.float64]] = {}
        # Costs, and how far the bounds are broken.
        self._known: dict[Arch, tuple[NDArray[np.float64], float]] = {}
        self._coming: dict[Arch, _Step] = {}
        self._low = np.full(len(self.objectives), np.inf)
        self._high = np.full(len(self.objectives), -np.inf)
        self._turn = self._steps = self._gains = 0
        self._usual = 0.0  # mean of the gains so far: rewards are in parts of it

    @property
    def batch_size(self) -> int:
        return int(self.config.walkers)

    def ask(self, n: int) -> list[Arch]:
        found: list[Arch] = []
        while len(found) < n and not self._draws.exhausted:
            walker, self._turn = self._turn, (self._turn + 1) % self.config.walkers
            arch, step = self._child(walker)
            if arch is None:
                break
            self._coming[arch] = step
            found.append(arch)
        return found

    def tell(self, measurements: Sequence[Measurement]) -> None:
        costs, broken = cost_array(measurements, self.objectives), self.problem.violations(measurements)
        for measurement, row, excess in zip(measurements, costs, broken.tolist(), strict=True):
            arch = tuple(measurement.arch)
            self._draws.take(arch)
            self._known[arch] = row, excess
            if np.isfinite(row).all():
                self._low, self._high = np.minimum(self._low, row), np.maximum(self._high, row)
        for measurement in measurements:
            step = self._coming.pop(arch := tuple(measurement.arch), None)
            if step is not None:
                self._arrive(arch, step)

    def probabilities(self, walker: int = 0) -> NDArray[np.float64]:
        """(groups,) chance of each group to be changed next by a walker, without the exploring steps."""
        parent = self._parents[walker]
        if parent is None:
            return np.full(len(self._groups), 1 / max(len(self._groups), 1))
        return self._chances(self._state(walker, parent), self._changeable(parent))

    # --- proposing ------------------------------------------------------------------------------

    def _child(self, walker: int) -> tuple[Arch | None, _Step]:
        """The next architecture of a walker to measure; steps to known ones are taken on the way."""
        if self._parents[walker] is None and self._known:
            self._parents[walker] = min(self._known, key=lambda arch: self._loss(arch, walker))
        for _ in range(_FREE_STEPS):
            parent = self._parents[walker]
            if parent is None or not self._groups:
                break
            state = self._state(walker, parent)
            group, strength = self._action(state, parent)
            child = self._changed(parent, self._groups[group], strength)
            step = _Step(walker, state, (group, strength))
            if self._open(child):
                return child, step
            if child in self._known and child != parent:
                self._arrive(child, step)
        if (near := self._around(walker)) is not None:
            return near, _Step(walker)
        drawn = self._draws.draw(1)
        return (drawn[0] if drawn else None), _Step(walker)

    def _around(self, walker: int) -> Arch | None:
        """A new architecture a few choices from a walker's, farther with each try: its neighbors are known."""
        parent = self._parents[walker]
        for tried in range(_TRIES if parent is not None else 0):
            near = self.space.mutate(parent or (), self._rng, min((2 + tried / 8) / len(self.space), 1.0))
            if self._open(near):
                return near
        return None

    def _open(self, arch: Arch) -> bool:
        return bool(self._draws.admit([arch]))

    def _action(self, state: State, parent: Arch) -> tuple[int, int]:
        config, rng = self.config, self._rng
        done = min(self._steps / config.explore_steps, 1.0)
        explore = rng.random() < config.explore_first + done * (config.explore_last - config.explore_first)
        allowed = self._changeable(parent)
        even = allowed / allowed.sum()
        chances = even if explore or not config.adaptive else self._chances(state, allowed)
        group = min(int(np.searchsorted(chances.cumsum(), rng.random(), "right")), len(chances) - 1)
        little_first = rng.random() < 0.5
        values = self._values.get(state)
        if not explore and config.adaptive and values is not None and values[group, 0] != values[group, 1]:
            return group, int(values[group].argmax())
        return group, _SMALL if little_first else _LARGE

    def _chances(self, state: State, allowed: NDArray[np.bool_]) -> NDArray[np.float64]:
        values = self._values.get(state, np.zeros((len(self._groups), 2))).max(axis=1)
        shifted = np.exp((values - values[allowed].max()) / self.config.temperature) * allowed
        clipped = np.clip(shifted / shifted.sum(), _LOWEST, _HIGHEST) * allowed
        return np.asarray(clipped / clipped.sum())

    def _changeable(self, arch: Arch) -> NDArray[np.bool_]:
        names = self.space.names
        return np.array([any(self.space.is_active(arch, names[i]) for i in g) for g in self._groups])

    def _changed(self, arch: Arch, group: Sequence[int], strength: int) -> Arch:
        """One choice of the group moved (by one, where options have an order), or all of them drawn anew."""
        space, rng = self.space, self._rng
        active = [i for i in group if space.is_active(arch, space.names[i])]
        child = list(arch)
        if strength == _LARGE:
            for index in active:
                child[index] = int(rng.integers(space.cardinalities[index]))
        if tuple(child) == arch:
            index = active[int(rng.integers(len(active)))]
            options, here = space.cardinalities[index], arch[index]
            if space.choices[index].ordinal and strength == _SMALL:
                near = [i for i in (here - 1, here + 1) if 0 <= i < options]
                child[index] = near[int(rng.integers(len(near)))]
            else:
                child[index] = int((here + 1 + rng.integers(options - 1)) % options)
        for index, name in enumerate(space.names):
            # A choice that the parent did not have to make is drawn afresh.
            if space.is_active(child, name) and not space.is_active(arch, name):
                child[index] = int(rng.integers(space.cardinalities[index]))
        return space.canonical(child)

    # --- learning -------------------------------------------------------------------------------

    def _arrive(self, child: Arch, step: _Step) -> None:
        walker = step.walker
        parent = self._parents[walker]
        if parent is None or step.state is None:
            # A first architecture, or one drawn at random: it starts the walker or has to beat it.
            if parent is None or self._loss(child, walker) < self._loss(parent, walker):
                self._parents[walker] = child
            return
        before, after = self._loss(parent, walker), self._loss(child, walker)
        gain = float(np.clip(before - after, -1, 1)) if np.isfinite([before, after]).all() else -1.0
        if np.isfinite(after) and not np.isfinite(before):
            gain = 1.0
        kept = gain > 0 or (self._rng.random() < self.config.accept_worse and bool(np.isfinite(after)))
        if kept:
            self._parents[walker] = child
        self._mood[walker] = _BETTER if gain > _SAME else _WORSE if gain < -_SAME else _LIKE
        self._steps += 1
        if gain > 0:
            self._gains += 1
            self._usual += (gain - self._usual) / self._gains
        self._learn(
            step.state,
            step.action,
            gain / (self._usual or 1.0) if kept else 0.0,
            self._state(walker, self._parents[walker] or parent),
        )

    def _learn(self, state: State, action: tuple[int, int], reward: float, following: State) -> None:
        ahead = self._values.get(following)
        values = self._values.setdefault(state, np.zeros((len(self._groups), 2)))
        target = reward + self.config.discount * (float(ahead.max()) if ahead is not None else 0.0)
        values[action] += self.config.learning_rate * (target - values[action])

    def _state(self, walker: int, arch: Arch) -> State:
        return tuple(arch[i] for i in self._template), self._mood[walker]

    def _loss(self, arch: Arch, walker: int) -> float:
        """What a walker minimizes: the largest of its weighted objectives, each scaled to what was seen of it."""
        costs, excess = self._known[arch]
        if not np.isfinite(costs).all():
            return np.inf
        if excess:
            return _BROKEN + excess
        wide = np.where(self._high > self._low, self._high - self._low, 1.0)
        scaled = self._weights[walker] * (costs - self._low) / wide
        return float(scaled.max() + 0.05 * scaled.sum())


def _weights(walkers: int, objectives: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(walkers, objectives) what each walker gives each objective, evenly spread for two, drawn for more."""
    if objectives == 2:
        first = np.linspace(0, 1, walkers) if walkers > 1 else np.array([0.5])
        return np.stack([first, 1 - first], axis=1)
    return rng.dirichlet(np.ones(objectives), size=walkers)
