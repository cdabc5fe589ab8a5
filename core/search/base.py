"""The search contract: ask for architectures, tell what they measured.

An algorithm never evaluates anything, so the same one serves a worker process, a test and a lecture
demo that presses "next" by hand. The life of a search:

1. Whoever runs it (`core.workflows.search_front`, a test, a lesson) builds the algorithm from the
   problem (see `core.search.problem`), a seed and its settings. Nothing else goes in: no supernet, no data.
2. `ask(n)` returns at most n architectures, best n = `batch_size`; an empty answer means that the
   algorithm is finished. The caller measures them wherever it likes. What breaks a bound that is known
   beforehand (`Problem.feasible`) is never asked for: whoever draws or breeds does it through `DistinctDraws`.
3. `tell(measurements)` hands over what was measured, in the order asked. A measurement may lack an
   objective or be NaN: that architecture counts as worse than every measured one. One that breaks a bound
   (`Problem.violations`) is worse than every one that keeps them all. Architectures the
   algorithm never asked for are welcome (results of an earlier run) and are not asked for afterwards.
4. Back to 2. Several `ask` may come before a `tell`, and answers may come in another order than they were asked
   for; the algorithm then knows less, nothing else. So several architectures can be measured at once, the next one
   asked for as soon as any is done. Algorithms that learn anew for every question say `in_batches`: they are asked
   again when all of a batch is told.

One thread calls; nothing is locked. There are no files, no clock, no global random state and no
torch, so a search is resumed by building the algorithm again with the same seed and repeating the
stored calls: the same calls get the same answers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from core.config import BaseConfig, Plugin
from core.records import Measurement, Objective
from core.registry import Registry
from core.search.feasible import require_feasible
from core.search.problem import Problem
from core.spaces import Arch

ALGORITHMS: Registry[SearchAlgorithm] = Registry("algorithm", "core.search", "ALGORITHMS")


class SearchAlgorithm(Plugin, ABC):
    """Proposes architectures; learns from measurements.

    Args:
        config: the algorithm's settings; None for the defaults.
        problem: where to search, and for what.
        seed: decides every draw.

    Raises:
        InvalidInput: no architecture keeps the bounds that are known beforehand.
    """

    measured: ClassVar[str] = ""
    """What `benchmarks/search.py` found of it that a person should know before choosing it, in a sentence."""
    adapts: ClassVar[bool] = True
    """Whether measurements change what is asked next."""
    in_batches: ClassVar[bool] = False
    """Whether it is asked again only when everything it asked for was told: it learns anew for every question, or plans
    what it asks for as a whole."""

    def __init__(self, config: BaseConfig | None = None, *, problem: Problem, seed: int) -> None:
        super().__init__(config)
        require_feasible(problem)
        self.problem = problem
        self.space = problem.space
        self.objectives = problem.objectives
        self.seed = int(seed)

    @property
    def batch_size(self) -> int:
        """How many architectures the algorithm would like to be asked for at a time."""
        return 64

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a person should know of how it went, a sentence each; besides what was found."""
        return ()

    @abstractmethod
    def ask(self, n: int) -> list[Arch]:
        """At most n architectures to measure next, canonical, all different, within the bounds; empty when finished."""

    @abstractmethod
    def tell(self, measurements: Sequence[Measurement]) -> None:
        """Take in measurements; an empty list changes nothing."""


def cost_array(measurements: Sequence[Measurement], objectives: Sequence[Objective]) -> NDArray[np.float64]:
    """Objective values as (n, m) costs: smaller is better in every column, NaN where nothing was measured."""
    values = [[float(m.values.get(o.name, np.nan)) for o in objectives] for m in measurements]
    signs = np.array([-1.0 if o.maximize else 1.0 for o in objectives])
    return np.array(values, dtype=float).reshape(-1, len(objectives)) * signs
