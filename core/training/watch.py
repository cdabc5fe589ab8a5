"""What is written down of every epoch of a training besides its accuracy: which sizes were drawn, and what they lost.

Sizes are classes of multiply-accumulates that hold equally many subnets of the space each, so a strategy that draws
every architecture equally often fills them equally. The classes are a property of the space: two trainings of one space
have the same ones, whatever their seeds. No torch.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.records import Metric, Metrics
from core.seeding import stream
from core.spaces import Arch, SearchSpace

CLASSES = 5
_SAMPLE = 2048
"""Architectures whose costs decide where the classes end; all of a space that has no more."""
_DRAWN, _LOSS, _MOST = "drawn", "loss", "macs"


class SizeClasses:
    """Subnets by cost, from the cheapest class to the dearest.

    Attributes:
        most: (k,) MACs of the dearest subnet of each class; k is below `CLASSES` where few costs differ.
    """

    def __init__(self, costs: NDArray[np.int64]) -> None:
        """Where the classes end.

        Args:
            costs: (n,) MACs of subnets that stand for the space.
        """
        last = [-(-len(costs) * k // CLASSES) - 1 for k in range(1, CLASSES + 1)]
        self.most: NDArray[np.int64] = np.unique(np.sort(costs)[last]).astype(np.int64)

    @classmethod
    def of(cls, space: SearchSpace, macs: Callable[[Sequence[Arch]], NDArray[np.int64]]) -> SizeClasses:
        """The classes of a space.

        Args:
            space: whose architectures.
            macs: n architectures -> (n,) counted MACs.
        """
        few = space.size <= _SAMPLE
        rows = space.array() if few else space.sample_array(_SAMPLE, stream(0, "size classes"))
        ends = np.array(space.ends or np.empty((0, len(space))), rows.dtype)
        return cls(macs([tuple(row) for row in np.vstack([rows, ends]).tolist()]))

    def of_costs(self, costs: NDArray[np.int64]) -> NDArray[np.int64]:
        """(n,) class of each cost, from 0 for the cheapest."""
        return np.searchsorted(self.most[:-1], costs, side="left").astype(np.int64)

    def metrics(
        self,
        drawn: Sequence[tuple[Arch, float]],
        macs: Callable[[Sequence[Arch]], NDArray[np.int64]],
    ) -> Metrics:
        """Counts and mean losses per class, as `by_size` reads them back.

        Args:
            drawn: the subnets of an epoch, each with what it lost (`session.drawn`).
            macs: as in `of`.

        Returns:
            For each class its most MACs, how many draws fell into it and, where there were any, their mean loss.
        """
        distinct = list(dict.fromkeys(arch for arch, _ in drawn))
        at = dict(zip(distinct, self.of_costs(macs(distinct)).tolist(), strict=True)) if distinct else {}
        classes = np.array([at[arch] for arch, _ in drawn], np.int64)
        losses = np.array([loss for _, loss in drawn], np.float64)
        found: Metrics = {}
        for k, most in enumerate(self.most.tolist()):
            mine = losses[classes == k]
            found |= {f"{_MOST}_{k + 1}": most, f"{_DRAWN}_{k + 1}": len(mine)}
            if len(mine):
                found[f"{_LOSS}_{k + 1}"] = float(mine.mean())
        return found


@dataclass(frozen=True)
class BySize:
    """What was drawn over the epochs of a training.

    Attributes:
        epochs: (n,) numbers of the epochs that say it; trainings of earlier releases have none.
        most: (k,) MACs of the dearest subnet of each class.
        counts: (n, k) draws.
        losses: (n, k) mean losses, NaN where nothing was drawn. Draws of different losses (labels, distillation) are
            averaged as they are, so classes compare best where a strategy trains all by the same loss.
    """

    epochs: NDArray[np.int64]
    most: NDArray[np.int64]
    counts: NDArray[np.int64]
    losses: NDArray[np.float64]


def in_short(row: Metrics) -> Metrics:
    """The numbers of an epoch without those by size and of the machine: what a card tells."""
    return {
        name: value
        for name, value in row.items()
        if name != "memory" and not name.startswith((f"{_MOST}_", f"{_DRAWN}_", f"{_LOSS}_"))
    }


def by_size(rows: Iterable[Metrics]) -> BySize:
    """Draws and losses by size from the numbers of the epochs (`ledger.metrics()`)."""
    known = [row for row in rows if f"{_DRAWN}_1" in row]
    k = sum(f"{_MOST}_{n + 1}" in known[-1] for n in range(CLASSES)) if known else 0

    def table(name: str, missing: Metric) -> NDArray[Any]:
        return np.array([[row.get(f"{name}_{n + 1}", missing) for n in range(k)] for row in known])

    return BySize(
        np.array([row["epoch"] for row in known], np.int64),
        table(_MOST, 0)[-1].astype(np.int64) if known else np.empty(0, np.int64),
        table(_DRAWN, 0).astype(np.int64).reshape(len(known), k),
        table(_LOSS, np.nan).astype(np.float64).reshape(len(known), k),
    )


def memory_in_use() -> int:
    """Bytes of memory that this process may write to: what the limit of a worker counts.

    Where the system does not say, the most it ever held; 0 where it does not say that either.
    """
    if sys.platform == "linux":
        for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmData:"):
                return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(most) * (1 if sys.platform == "darwin" else 1024)
