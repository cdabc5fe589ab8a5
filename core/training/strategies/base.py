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
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.config import Plugin, Settings
from core.errors import InvalidInput
from core.registry import Registry
from core.seeding import stream
from core.spaces import SearchSpace
from core.training.draws import Draw, Phase

if TYPE_CHECKING:
    from core.supernets.base import Supernet
    from core.tasks.base import Batch
    from core.training.session import Session

_PASSES_LOOKS = 8

STRATEGIES: Registry[Strategy] = Registry("strategy", "core.training.strategies", "STRATEGIES")


class Effort(NamedTuple):
    """How much work a phase is, in passes through a subnet of middling size: what progress and time left go by.

    Attributes:
        passes: of a batch with a gradient, in each step.
        looks: of a batch without one, in each step.
        begins: without a gradient, once when the phase begins; one with a gradient counts as three.
        samples: that each of these takes.
    """

    passes: float
    looks: float = 0.0
    begins: float = 0.0
    samples: int = 1


class Strategy(Plugin, ABC):
    """Says which subnets each step trains.

    Attributes:
        needs_ends: it trains the smallest and the largest architecture, which not every space has.
        needs_order: it needs the options of every choice to be ordered, each containing the one before.
        needs_one_size: it compares maps of different subnets, which must have one size.
        family_settings: settings that it fixes in families that have them.
        shareable: several processes can share its steps (core.training.together): what it does with a batch, it does by one
            `Session.train` in each step, and it looks at no other samples.
        suggests: settings of the training that belong to it; forms and commands start from them where it is chosen.
    """

    needs_ends: ClassVar[bool] = False
    needs_order: ClassVar[bool] = False
    needs_one_size: ClassVar[bool] = False
    family_settings: ClassVar[Settings] = {}
    shareable: ClassVar[bool] = False
    suggests: ClassVar[Settings] = {}

    def check(self, space: SearchSpace) -> None:
        """Refuse a space that this strategy cannot train.

        Raises:
            InvalidInput: it needs an order, ends or one size of maps that the space does not have.
        """
        sized = next((c.name for c in space.choices if c.kind == "resolution" and len(c.options) > 1), None)
        if self.needs_one_size and sized is not None:
            raise InvalidInput(
                f"{self.label} compares maps of one size, which {sized} changes. Choose another strategy."
            )
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

    def check_supernet(self, net: Supernet) -> None:
        """Refuse a supernet that this strategy cannot train, by its space or by what it is made of.

        Raises:
            InvalidInput: see `check`; or it cannot be run as the strategy runs it.
        """
        self.check(net.space)

    def check_new_classifier(self) -> None:
        """Refuse to start from a network whose classifier was drawn anew, for data with other classes.

        Raises:
            InvalidInput: subnets would imitate what that network answers now.
        """

    def supernet_for(self, net: Supernet) -> Supernet:
        """The supernet that is trained in the place of a given one; itself unless the strategy says otherwise.

        The same one gives the same structure, and one that was made so is not made again.

        Raises:
            InvalidInput: the strategy cannot train it.
        """
        return net

    def phases(self, space: SearchSpace) -> list[Phase]:
        """The phases in order; by default one, with everything unlocked."""
        return [Phase(self.name)]

    def draws(self, space: SearchSpace, phase: Phase, rng: np.random.Generator) -> list[Draw]:
        """The subnets of one step, in the order they are run; whoever defines `step` need not have any."""
        raise TypeError(f"{type(self).__name__} must define draws or step")

    def passes(self, space: SearchSpace, phase: Phase) -> float:
        """Forward passes with a gradient that one step of a phase costs, on average; what budgets compare.

        Counted from `draws`; whoever defines `step` must say it.
        """
        if type(self).step is not Strategy.step:
            raise TypeError(f"{type(self).__name__} must define passes")
        looks = [
            self.draws(space, phase, stream(0, "passes", phase.name, look)) for look in range(_PASSES_LOOKS)
        ]
        return sum(draw.passes for draws in looks for draw in draws) / len(looks)

    def samples_at_start(self, space: SearchSpace, phase: Phase) -> float:
        """Samples that go forward with a gradient once, when a phase begins, beside those of its steps."""
        return 0.0

    def effort(self, space: SearchSpace, phase: Phase) -> Effort:
        """How much work a phase is; whoever defines `step` and runs networks besides `passes` says so here."""
        return Effort(self.passes(space, phase))

    def order(self, session: Session, n: int, rng: np.random.Generator) -> NDArray[np.int64] | None:
        """(n,) rows of the training samples in the order the coming epoch takes them, repeats allowed.

        None, the default, is the task's own shuffle. Not for data that only go through a network together.

        Args:
            session: of the training.
            n: number of training samples.
            rng: a function of the seed and the epoch.
        """
        return None

    def start(self, session: Session) -> None:
        """Get ready, once, before the first step or before a state is given back.

        Here a strategy makes its own parameters and adds their optimizers to the session's.
        """

    def step(self, session: Session, batch: Batch) -> float:
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
