"""Strict fairness: within a step, every option of a choice is trained as often as every other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.seeding import stream
from core.spaces import SearchSpace
from core.training.balancing import balanced, steps_of_group
from core.training.draws import Draw, Phase
from core.training.strategies.base import STRATEGIES, Strategy

if TYPE_CHECKING:
    from core.tasks.base import Batch
    from core.training.session import Session


@STRATEGIES.register("fair")
class Fair(Strategy):
    """As many subnets per step as the longest choice has options, which between them take every option equally often.

    Their gradients add up to one update. A choice with fewer options, or one that not every subnet has to make (the
    kernel of a block beyond its depth), is balanced over a group of steps instead, counted where it matters:
    `group` says how many steps that are. Cells that compute nothing are not trained: who meets whom is drawn anew
    until none is among a step's subnets, which leaves the counts as they are.
    """

    label = "Strict fairness"
    source = (
        "Chu et al., FairNAS, ICCV 2021 (uneven and conditional choices are balanced over a group of steps, "
        "which is ours: its search space has neither)"
    )
    shareable = True

    def start(self, session: Session) -> None:
        self.taken = 0
        self._group: tuple[int, NDArray[np.uint8]] | None = None

    @staticmethod
    def paths(space: SearchSpace) -> int:
        """Subnets of one step: the most options that any choice has."""
        return max(space.cardinalities, default=1)

    def group(self, space: SearchSpace) -> int:
        """Steps after which every option of every choice was trained equally often, where the choice matters."""
        return steps_of_group(space, self.paths(space))

    def passes(self, space: SearchSpace, phase: Phase) -> float:
        return float(self.paths(space))

    def step(self, session: Session, batch: Batch) -> float:
        number, place = divmod(self.taken, self.group(session.space))
        if self._group is None or self._group[0] != number:
            rng = stream(session.seed, "fair", number)
            found = balanced(session.space, self.paths(session.space), self.group(session.space), rng)
            self._group = (number, found)
        rows = self._group[1][place].tolist()
        values = session.train([Draw(tuple(row)) for row in rows], batch)
        self.taken += 1
        return float(np.mean(values))

    def state_dict(self) -> dict[str, Any]:
        return {"taken": self.taken}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.taken = int(state["taken"])
