"""What a search is about: the space, the objectives, the bounds, and what is known before anything is measured.

Counted objectives (MACs, parameters) cost microseconds, so an algorithm may ask for them beforehand: bounds on them
are kept by proposing nothing that breaks them, and a predictor has nothing to learn of them. The work of stages tells
what an evaluation would cost after those that were made, for searches that plan by it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.pareto import Constraint, satisfies
from core.records import Objective, Source
from core.spaces import Archs, SearchSpace

Counted = Callable[[Archs], Mapping[str, NDArray[np.float64]]]
"""(n, d) architectures -> values of every counted objective there is, (n,) each, in the objectives' units."""


class StageWork(Protocol):
    """What evaluating an architecture takes, stage by stage; a function of the architectures alone, without a clock.

    Attributes:
        memory: bytes of stages' outputs that the evaluator keeps from one batch to the next; 0 where it keeps none.
    """

    memory: int

    def prefixes(self, rows: Archs) -> NDArray[np.int64]:
        """(n, stages) numbers, equal exactly where everything up to and including that stage is the same computation.

        The numbers stay the same over calls, so what was evaluated before can be remembered by them. -1 where a stage
        is the identity: it computes nothing, and its prefix is the one before it.
        """

    def seconds(self, rows: Archs) -> NDArray[np.float64]:
        """(n, stages) modelled seconds of each stage alone, from its counted work and stored rates."""

    def bytes(self, rows: Archs) -> NDArray[np.int64]:
        """(n, stages) bytes of each stage's output; 0 where it is the identity."""


@dataclass(frozen=True, eq=False)
class Problem:
    """One search problem.

    Attributes:
        space: where to search.
        objectives: at least one; the order is the order of columns.
        constraints: bounds on objectives, also on ones that are not searched for.
        counted: see `Counted`; None where nothing is known before measuring.
        work: see `StageWork`; None where it is not known.

    Raises:
        InvalidInput: there is no objective, or one is named twice.
    """

    space: SearchSpace
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...] = ()
    counted: Counted | None = None
    work: StageWork | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "objectives", tuple(self.objectives))
        object.__setattr__(self, "constraints", tuple(self.constraints))
        names = [objective.name for objective in self.objectives]
        if not names or len(set(names)) != len(names):
            raise InvalidInput("A search needs at least one objective, and each only once.")

    def known(self, rows: Archs) -> Mapping[str, NDArray[np.float64]]:
        """Values of counted objectives that are searched for or bounded; empty where nothing is known."""
        if self.counted is None:
            return {}
        wanted = {o.name for o in self.objectives if o.how is Source.COUNTED}
        wanted |= {constraint.objective for constraint in self.constraints}
        return {name: values for name, values in self.counted(rows).items() if name in wanted}

    def feasible(self, rows: Archs) -> NDArray[np.bool_]:
        """(n,) whether nothing that is known before measuring breaks a bound."""
        if not self.constraints or self.counted is None:
            return np.ones(len(rows), bool)
        known = self.known(rows)
        return satisfies(
            known or {"": np.zeros(len(rows))}, [c for c in self.constraints if c.objective in known]
        )
