"""What a search is about: the space, the objectives, the bounds, and what is known before anything is measured.

Counted objectives (MACs, parameters) cost microseconds, so an algorithm may ask for them beforehand: bounds on them
are kept by proposing nothing that breaks them, and a predictor has nothing to learn of them. The work of stages tells
what an evaluation would cost after those that were made, for searches that plan by it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.pareto import Constraint, violations
from core.records import Measurement, Objective, Source
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
        """(n, stages) modeled seconds of each stage alone, from its counted work and stored rates."""

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
        table = self.counted(rows)
        return {name: table[name] for name in table if name in wanted}

    @cached_property
    def bounds_known(self) -> tuple[Constraint, ...]:
        """Those of the constraints that can be judged before measuring."""
        if not self.constraints or self.counted is None:
            return ()
        known = self.known(np.zeros((1, len(self.space)), np.uint8))
        return tuple(c for c in self.constraints if c.objective in known)

    def excess(self, rows: Archs) -> NDArray[np.float64]:
        """(n,) how far what is known before measuring breaks the bounds (see `violations`); 0 where it does not."""
        if not self.bounds_known or not len(rows):
            return np.zeros(len(rows))
        return violations(self.known(rows), self.bounds_known)

    def feasible(self, rows: Archs) -> NDArray[np.bool_]:
        """(n,) whether nothing that is known before measuring breaks a bound."""
        return np.asarray(self.excess(rows) == 0)

    def violations(self, measurements: Sequence[Measurement]) -> NDArray[np.float64]:
        """(n,) how far measured architectures break the bounds; infinite where a bounded objective is unknown."""
        if not self.constraints or not measurements:
            return np.zeros(len(measurements))
        names = dict.fromkeys(constraint.objective for constraint in self.constraints)
        table = {n: np.array([m.values.get(n, np.nan) for m in measurements], float) for n in names}
        if any(np.isnan(column).any() for column in table.values()):
            known = self.known(np.array([m.arch for m in measurements], np.uint8))
            table = {n: np.where(np.isnan(v), known[n], v) if n in known else v for n, v in table.items()}
        return violations(table, self.constraints)
