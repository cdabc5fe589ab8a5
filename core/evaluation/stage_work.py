"""What evaluating an architecture takes, stage by stage, from its counted costs. No torch, no clock.

A search that plans by marginal cost asks here which stages two architectures share and how long each would take. The
rates are stored ones, so the answer is the same on every machine and in every resumed run.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.evaluation.costs import CostTable
from core.spaces import Archs

ORDINARY = np.array([4e-4, 1e-10, 1.5e-8])
"""Seconds per call, per multiply-accumulate and per number written, of one core of an ordinary laptop."""
USUAL_SAMPLES = 1000
"""Samples that a supernet of this size is measured on; only ratios of seconds decide anything."""
_BYTES_PER_NUMBER = 4


class CountedWork:
    """Stages, their modeled seconds and their outputs' bytes, from the cost table of a supernet.

    Args:
        table: of the supernet.
        samples: that go through at once; 1 where the costs are those of everything at once (a graph).
        memory: bytes of outputs that the evaluator keeps from one batch to the next.
    """

    def __init__(self, table: CostTable, *, samples: int = USUAL_SAMPLES, memory: int = 0) -> None:
        self.memory = memory
        self._table = table
        self._samples = samples
        self._columns = table.telling()
        # (stage, number of the prefix before it with what tells the stage apart) -> number of the prefix it ends.
        self._numbers: dict[tuple[int, bytes], int] = {}

    def prefixes(self, rows: Archs) -> NDArray[np.int64]:
        """(n, stages) prefix numbers of canonical architectures; see `core.search.problem.StageWork`."""
        found = np.full((len(rows), len(self._columns)), -1, np.int64)
        before = np.full(len(rows), -1, np.int64)
        for level, (columns, stage) in enumerate(zip(self._columns, self._table.entries(rows), strict=True)):
            there = np.flatnonzero(stage.present)
            if not len(there):
                continue
            known = [
                np.ascontiguousarray(each[there]).view(np.uint8).reshape(-1, 8)
                for each in (before, stage.part)
            ]
            keys = np.concatenate([*known, rows[there][:, columns]], axis=1)
            packed = np.ascontiguousarray(keys).view(f"V{keys.shape[1]}").ravel()
            different, inverse = np.unique(packed, return_inverse=True)
            numbers = [
                self._numbers.setdefault((level, key), len(self._numbers)) for key in different.tolist()
            ]
            before[there] = found[there, level] = np.array(numbers)[inverse]
        return found

    def seconds(self, rows: Archs) -> NDArray[np.float64]:
        """(n, stages) modeled seconds of each stage alone; 0 where it is the identity."""
        calls, macs, written = ORDINARY
        return np.stack(
            [
                calls * stage.present
                + self._samples * (macs * stage.counted("macs") + written * stage.output_size)
                for stage in self._table.entries(rows)
            ],
            axis=1,
        )

    def bytes(self, rows: Archs) -> NDArray[np.int64]:
        """(n, stages) bytes of each stage's output; 0 where it is the identity."""
        per_number = _BYTES_PER_NUMBER * self._samples
        return np.stack([per_number * stage.output_size for stage in self._table.entries(rows)], axis=1)
