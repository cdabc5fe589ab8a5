"""Outputs of prefixes that stay in memory from one batch of a search to the next, within a bound of bytes.

A search asks for a few architectures at a time, and later ones begin like earlier ones. What is kept is the evaluator's
own output of a prefix, so results are the same to the last bit with and without it. The least recently used goes first.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from core.evaluation.costs import CostTable
from core.evaluation.kept_bytes import KeptBytes
from core.networks.trees import leaves, map_leaves
from core.supernets.base import BranchContext, Stage, Supernet

# One of so many bytes may be of derived weights.
_DERIVED_SHARE = 10


class KeptActivations:
    """Belongs to one supernet's weights and one set of samples; whoever has it sees to that.

    Args:
        limit: most bytes that are kept at once, a tenth of them for weights in the form that walks use; what one walk
            holds besides is not counted.
    """

    def __init__(self, limit: int) -> None:
        self._bytes = KeptBytes(limit - limit // _DERIVED_SHARE)
        self._most_derived = limit // _DERIVED_SHARE
        self._derived: dict[Hashable, Any] = {}
        self._costs: CostTable | None = None
        self._outputs: dict[Hashable, Any] = {}
        # (number of the prefix before, stage, its key) -> number of the prefix that ends with it.
        self._numbers: dict[tuple[int, int, Hashable], int] = {}
        self.reused = 0
        """Prefixes that were taken from memory instead of being computed."""

    @property
    def used(self) -> int:
        """Bytes of outputs that are kept now."""
        return self._bytes.used

    def __len__(self) -> int:
        return len(self._outputs)

    def clear(self) -> None:
        """Forget all outputs and derived weights: there is no room for them any more."""
        self._bytes = KeptBytes(self._bytes.limit)
        self._outputs.clear()
        self._derived.clear()

    def costs(self, supernet: Supernet) -> CostTable:
        """The cost table of the one supernet, built once."""
        if self._costs is None:
            self._costs = CostTable.of(supernet)
        return self._costs

    def context(self, calibration_rows: int) -> BranchContext:
        """For one walk, with the derived weights of earlier ones; those are forgotten when they become too many."""
        if (
            sum(leaf.nbytes for leaf in leaves(self._derived) if isinstance(leaf, Tensor))
            > self._most_derived
        ):
            self._derived = {}
        return BranchContext(calibration_rows, cache=self._derived)

    def plan(self, stages: Sequence[Stage], codes: NDArray[np.int32], archs: Sequence[Sequence[int]]) -> Plan:
        """What a walk over these architectures finds here.

        Args:
            stages: of the supernet.
            codes: (stages, n) as `Trie.codes`, sorted.
            archs: n architectures in the same order.
        """
        n = len(archs)
        numbers = np.empty((len(stages) + 1, n), np.int64)
        numbers[0] = 0
        ready = np.zeros(n, np.int64)
        for level, stage in enumerate(stages):
            numbers[level + 1] = numbers[level]
            starts = np.flatnonzero(
                np.append(
                    True,
                    (numbers[level, 1:] != numbers[level, :-1]) | (codes[level, 1:] != codes[level, :-1]),
                )
            )
            for low, high in zip(starts.tolist(), [*starts[1:].tolist(), n], strict=True):
                if codes[level, low] >= 0:
                    before = int(numbers[level, low])
                    key = (before, level, stage.key(archs[low]))
                    numbers[level + 1, low:high] = self._numbers.setdefault(key, len(self._numbers) + 1)
                if level + 1 < len(stages) and int(numbers[level + 1, low]) in self._bytes:
                    ready[low:high] = level + 1
        held = {int(numbers[level, at]) for at, level in enumerate(ready.tolist()) if level}
        return Plan(numbers, ready, held)

    def output(self, level: int, group: tuple[int, int], plan: Plan) -> Any:
        """The kept output of a prefix, which may be forgotten from now on; None if all of them go on to kept ones."""
        if plan.ready[slice(*group)].min() > level:
            return None
        number = plan.number(level, group)
        self._bytes.touch(number, 0)
        plan.held.discard(number)
        self.reused += 1
        return self._outputs[number]

    def keep(self, level: int, group: tuple[int, int], output: Any, plan: Plan) -> None:
        """Keep the output of a prefix, if there is room beside what this walk still needs."""
        number = plan.number(level, group)
        size = sum(leaf.nbytes for leaf in leaves(output))
        gone = self._bytes.touch(number, size, plan.held)
        # What it builds on counts as used later: beginnings, which more architectures share, outlive endings.
        for before in range(level - 1, 0, -1):
            self._bytes.renew(plan.number(before, group))
        for other in gone:
            self._outputs.pop(other, None)
        if number not in gone:
            self._outputs[number] = map_leaves(_alone, output)


@dataclass(frozen=True, eq=False)
class Plan:
    """What one walk finds kept.

    Attributes:
        numbers: (stages + 1, n) number of every prefix, the empty one first; a stage that is the identity ends the
            prefix before it.
        ready: (n,) stages of the longest prefix that is kept.
        held: numbers of prefixes that the walk will still take.
    """

    numbers: NDArray[np.int64]
    ready: NDArray[np.int64]
    held: set[int]

    def has(self, level: int, group: tuple[int, int]) -> bool:
        """Whether all of a range that shares its first stages, so many of them, need no computing up to there."""
        return bool(self.ready[slice(*group)].min() >= level)

    def number(self, level: int, group: tuple[int, int]) -> int:
        """Number of the prefix of so many stages that a range shares."""
        return int(self.numbers[level, group[0]])


def _alone(leaf: Tensor) -> Tensor:
    """The tensor without what it is a part of: siblings are slices of one, which would stay in memory with it."""
    return leaf.clone() if leaf.untyped_storage().nbytes() > leaf.nbytes else leaf
