"""What a latency model looks at: which stage with which key is there, and how much work each group of stages is.

A stage's time depends on nothing but what the stage depends on, so one column per (stage, key) would be enough. Where a
stage depends on so much that most of its keys are never seen (a cell with six choices), its options stand for it. The
work by group tells the model what keys have in common, which saves half of the timings.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.evaluation.costs import CostTable, StageKeys

MOST_KEYS = 128
"""Keys of one stage up to which each has a column of its own."""


@dataclass(frozen=True, eq=False)
class _Group:
    """Columns of which an architecture has at most one: the keys of a stage, or the options of one of its choices."""

    stage: int
    keys: StageKeys
    choice: int | None = None

    def __len__(self) -> int:
        return self.keys.entries if self.choice is None else self.keys.options[self.choice]

    def of(self, archs: NDArray[np.uint8]) -> NDArray[np.int64]:
        if self.choice is None:
            return self.keys.of(archs)
        return archs[:, self.keys.columns[self.choice]].astype(np.int64)


@dataclass(frozen=True, eq=False)
class Columns:
    """The columns for the architectures of one space, always in the same order.

    Attributes:
        costs: of the supernet.
        groups: of columns for keys and options.
        work_groups: names of the groups of stages, whose work is counted together.
    """

    costs: CostTable
    groups: tuple[_Group, ...]
    work_groups: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """Changes when the columns do: a model's weights mean nothing for other columns."""
        said = repr([(g.stage, g.choice, len(g)) for g in self.groups]) + repr(self.work_groups)
        return hashlib.sha256(f"{self.costs.space.fingerprint}{said}".encode()).hexdigest()

    def one_hot(self, archs: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """(n, d) architectures -> (n, keys) which keys they have."""
        present = [entries.present for entries in self.costs.entries(archs)]
        parts = []
        for group in self.groups:
            part = np.zeros((len(archs), len(group)), bool)
            there = np.flatnonzero(present[group.stage])
            part[there, group.of(archs[there])] = True
            parts.append(part)
        return np.concatenate(parts, axis=1)

    def work(self, archs: NDArray[np.uint8]) -> NDArray[np.float64]:
        """(n, d) architectures -> (n, 3 groups + 3): MACs, outputs and stages of each group and in all."""
        found = np.zeros((len(archs), len(self.work_groups), 3))
        for entries in self.costs.entries(archs):
            if entries.group in self.work_groups:
                at = found[:, self.work_groups.index(entries.group)]
                at += np.stack([entries.counted("macs"), entries.output_size, entries.present], axis=1)
        return np.concatenate([found.reshape(len(archs), -1), found.sum(axis=1)], axis=1)


def columns_of(costs: CostTable) -> Columns:
    """The columns for the architectures of a supernet."""
    keys = costs.keys()
    groups: list[_Group] = []
    for stage, of in enumerate(keys):
        if of.entries <= MOST_KEYS:
            groups.append(_Group(stage, of))
        else:
            groups += [_Group(stage, of, choice) for choice in range(len(of.columns))]
    return Columns(costs, tuple(groups), _work_groups(costs))


def _work_groups(costs: CostTable) -> tuple[str, ...]:
    # Every stage is in one of the ends or in a draw; a group that is in none has no column, and counts in no total.
    rows = costs.space.sample_array(512, np.random.default_rng(0))
    ends: Sequence[Sequence[int]] = costs.space.ends or ()
    rows = np.concatenate([rows, np.array(ends, np.uint8).reshape(-1, rows.shape[1])])
    return tuple(dict.fromkeys(entries.group for entries in costs.entries(rows) if entries.group))
