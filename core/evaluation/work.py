"""How much work it is to run networks: estimates for progress and forecasts, never a result.

The time of a stage has three parts: what every call costs, its multiply-accumulates, and the numbers it
writes (memory, which decides in narrow convolutions). The walk of the evaluator computes every distinct
prefix once, so the work of an architecture is that of the stages that no architecture before it shares.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.evaluation.costs import CostTable
from core.evaluation.stage_work import ORDINARY
from core.evaluation.trie import Trie
from core.supernets.base import Stage, Supernet

__all__ = [
    "ORDINARY",
    "Nodes",
    "fitted",
    "nodes_of",
    "parts_of",
    "seconds_of_walks",
    "walk_parts",
    "walk_seconds",
]


def parts_of(table: CostTable, archs: NDArray[np.uint8], samples: int) -> NDArray[np.float64]:
    """(n, 3) calls, multiply-accumulates and written numbers of each architecture run alone.

    Args:
        table: of the supernet.
        archs: (n, d) architectures.
        samples: that go through; 1 where the costs are those of everything at once (a graph).
    """
    total = np.zeros((len(archs), 3))
    for stage in table.entries(archs):
        calls = stage.present
        total += np.stack([calls, samples * stage.counted("macs"), samples * stage.output_size], axis=1)
    return total


def walk_parts(
    supernet: Supernet, table: CostTable, rows: NDArray[np.uint8], samples: int
) -> NDArray[np.float64]:
    """(n, 3) as `parts_of`, of the stages that each architecture is the first to need in the walk.

    Args:
        supernet: whose subnets.
        table: its costs.
        rows: (n, d) canonical architectures, all different.
        samples: see `parts_of`.
    """
    trie = Trie.of(supernet, rows)
    first = np.zeros(len(rows), bool)
    first[:1] = True
    total = np.zeros((len(rows), 3))
    for codes, stage in zip(trie.codes, table.entries(rows[trie.order]), strict=True):
        first[1:] |= codes[1:] != codes[:-1]
        own = np.stack([stage.present, samples * stage.counted("macs"), samples * stage.output_size], axis=1)
        total[first] += own[first]
    in_order = np.empty_like(total)
    in_order[trie.order] = total
    return in_order


def walk_seconds(supernet: Supernet, table: CostTable, rows: NDArray[np.uint8], samples: int) -> float:
    """Seconds of an ordinary core that the walk over these architectures takes.

    Nearer to the truth than the sum of `walk_parts` where a stage computes siblings together: of nested slices of one
    input the widest is computed, in one call.

    Args:
        supernet, table, rows, samples: see `walk_parts`.
    """
    return float(seconds_of_walks(supernet, table, rows, samples, [np.arange(len(rows))]).sum())


def seconds_of_walks(
    supernet: Supernet,
    table: CostTable,
    rows: NDArray[np.uint8],
    samples: int,
    shards: Sequence[NDArray[np.int64]],
) -> NDArray[np.float64]:
    """(k,) seconds as `walk_seconds`, of each shard walked by itself.

    Args:
        supernet, table, rows, samples: see `walk_parts`.
        shards: positions in `rows` of what each walks; none is empty.
    """
    if not len(shards) or not len(rows):
        return np.zeros(len(shards))
    trie = Trie.of(supernet, rows)
    rank = np.empty(len(rows), np.int64)
    rank[trie.order] = np.arange(len(rows))
    sizes = [len(shard) for shard in shards]
    starts = np.cumsum([0, *sizes[:-1]])
    places = rank[np.concatenate(shards)]
    # Each shard's rows as the walk meets them.
    places = places[np.lexsort((places, np.repeat(np.arange(len(shards)), sizes)))]
    found = np.zeros(len(shards))
    given = rows[trie.order[places]]
    for nodes in nodes_of(supernet, table, trie.codes[:, places], given, samples, starts):
        walks = np.searchsorted(starts, nodes.at, side="right") - 1
        found += np.bincount(walks, nodes.computed_here + nodes.written, len(shards))
    return found


@dataclass(frozen=True)
class Nodes:
    """What walks compute at one stage: m different beginnings up to and with it.

    Attributes:
        at: (m,) position of the first architecture of each.
        parents: (k,) which of them are the first after one beginning; those up to the next follow it as well.
        together: whether the stage computes siblings together: of nested slices of one input the widest, in one call.
        computed: (m,) seconds of an ordinary core that each takes to compute, alone.
        written: (m,) seconds in which its output is written.
    """

    at: NDArray[np.int64]
    parents: NDArray[np.int64]
    together: bool
    computed: NDArray[np.float64]
    written: NDArray[np.float64]

    @property
    def computed_here(self) -> NDArray[np.float64]:
        """(m,) the same when all are computed: of siblings that are computed together, the first stands for all."""
        if not self.together:
            return self.computed
        found = np.zeros(len(self.at))
        found[self.parents] = np.maximum.reduceat(self.computed, self.parents)
        return found


def nodes_of(
    supernet: Supernet,
    table: CostTable,
    codes: NDArray[np.int32],
    rows: NDArray[np.uint8],
    samples: int,
    starts: NDArray[np.int64],
) -> Iterator[Nodes]:
    """What one or several walks compute, stage by stage.

    Args:
        supernet, table, samples: see `walk_parts`.
        codes, rows: of the architectures in the order of the walks, one walk after the other.
        starts: positions where a walk begins; the first is 0.
    """
    rows = np.asfortranarray(rows)
    first = np.zeros(len(rows), bool)
    first[starts] = True
    calls, macs, written = ORDINARY
    for level, (stage, here) in enumerate(zip(supernet.chain, codes, strict=True)):
        before = np.flatnonzero(first)
        first[1:] |= here[1:] != here[:-1]
        at = np.flatnonzero(first)
        counted = table.entries_of(level, rows, at)
        yield Nodes(
            at,
            np.searchsorted(at, before),
            type(stage).branch is not Stage.branch,
            calls * counted.present + samples * macs * counted.counted("macs"),
            samples * written * counted.output_size,
        )


def fitted(parts: NDArray[np.float64], seconds: Sequence[float]) -> NDArray[np.float64]:
    """(3,) seconds per part that explain k measurements best, by relative error; none is negative.

    Args:
        parts: (k, 3) sums of parts.
        seconds: what each measurement took.
    """
    from scipy.optimize import nnls

    took = np.maximum(np.asarray(seconds, float), 1e-6)
    scale = ORDINARY / took[:, None]
    # In units of an ordinary core, so that the parts are of one size for the solver.
    factors, _ = nnls(parts * scale, np.ones(len(took)))
    if not factors.any():
        return ORDINARY * float(took.sum() / (parts @ ORDINARY).sum())
    return np.asarray(factors * ORDINARY)
