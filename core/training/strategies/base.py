"""The strategy contract: phases of a training, and two doors into its steps.

The first door is `draws`: which subnets a step trains, and by which losses each learns. It is a pure
function of the space, the phase and a generator made from the seed and the step's number, so there is no
state to lose; gradients of a step's draws add up before one optimizer step. The second is `step`, for what
needs to see losses or gradients, several optimizers or a validation batch: it gets the session. What such
a strategy remembers, `state_dict` says; it is saved with every checkpoint and given back on resume.

What a phase does at its start is named, not flagged (core.training.actions). No torch here.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from core.config import Plugin
from core.errors import InvalidInput
from core.registry import Registry
from core.spaces import Arch, SearchSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor
    from torch.optim import Optimizer

    from core.tasks.base import Batch

STRATEGIES: Registry[Strategy] = Registry("strategy", "core.training.strategies", "STRATEGIES")
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
    settings: Mapping[str, Any] = field(default_factory=dict)


LABELS = (Term("labels"),)


@dataclass(frozen=True)
class Draw:
    """One subnet of one step, and what it minimizes: the sum of the losses, each with its weight."""

    arch: Arch
    losses: tuple[Term, ...] = LABELS


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


class TrainingSession(Protocol):
    """What a strategy trains with; `core.training.session.Session` is it, and says more of each.

    Attributes:
        phase: the current one.
        optimizers: "weights" is the supernet's; a strategy may add its own in `start`.
    """

    phase: Phase
    optimizers: dict[str, Optimizer]

    @property
    def space(self) -> SearchSpace: ...

    @property
    def seed(self) -> int:
        """Of the whole training."""

    def rng(self, *names: str) -> np.random.Generator:
        """Chance under a name, a function of the seed, the epoch and the step."""

    def macs(self, archs: Sequence[Sequence[int]]) -> NDArray[np.int64]:
        """(n,) counted multiply-accumulates of n architectures."""

    def forward(self, arch: Any, batch: Batch) -> Tensor:
        """Outputs of the samples that count, with a gradient."""

    def sample_losses(self, outputs: Tensor, batch: Batch) -> Tensor:
        """(k,) losses of the samples against their labels."""

    def sample_gradient_norms(self, outputs: Tensor, batch: Batch) -> Tensor:
        """(k,) norms of the gradient of each sample's loss with respect to its outputs."""

    def gradient_norms(self) -> dict[str, float]:
        """Norm of the gradient of every weight that has one."""

    def backward(self, loss: Tensor) -> float:
        """Add the gradients of a scalar loss; returns the loss."""

    def zero_grad(self) -> None:
        """Forget all gradients."""

    def update(self, optimizer: str = ...) -> None:
        """One step of an optimizer."""

    def validation_batch(self, size: int, *names: str) -> Batch:
        """Up to `size` validation samples, drawn under a name."""

    def train(self, draws: Sequence[Draw], batch: Batch) -> list[float]:
        """One step on the sum of the draws' losses; returns the loss of each draw."""


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

    def draws(self, space: SearchSpace, phase: Phase, rng: np.random.Generator) -> list[Draw]:
        """The subnets of one step, in the order they are run; whoever defines `step` need not have any."""
        raise TypeError(f"{type(self).__name__} must define draws or step")

    def start(self, session: TrainingSession) -> None:
        """Get ready, once, before the first step or before a state is given back.

        Here a strategy makes its own parameters and adds their optimizers to the session's.
        """

    def step(self, session: TrainingSession, batch: Batch) -> float:
        """Train one step; returns the loss that the curve shows.

        Chance comes from `session.rng` alone, and what the next step must know belongs into `state_dict`.
        """
        return session.train(self.draws(session.space, session.phase, session.rng("draws")), batch)[0]

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs to go on as if it had never stopped: tensors, arrays and plain JSON."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what `state_dict` returned; it has the same names."""


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
