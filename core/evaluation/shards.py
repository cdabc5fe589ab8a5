"""Where the evaluator's trie is cut, so that several cores walk it and little is computed twice.

A shard is a stretch of the trie in the order of the walk. What its first architecture shares with the one before it is
computed again, so a cut costs the less, the earlier in the chain the two differ. Pieces are halved again and again at
the cheapest place near their middle by modeled seconds (`core.evaluation.work`), down to a size that follows from the
number of cores: half of the work in large shards, half of the rest in shards half as large, and so on (Hummel,
Schonberg & Flynn, Factoring, CACM 1992), so that those who are late in the end are late by little. NumPy only; no
result depends on where cuts are.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.evaluation.costs import CostTable
from core.evaluation.trie import Trie, by_beginnings
from core.evaluation.work import nodes_of, seconds_of_walks
from core.supernets.base import Supernet

SMALLEST = 0.5
LARGEST = 3.0
"""Modeled seconds of a shard: what it costs besides its work is little, and so is what is lost with a worker. Of small
networks that is some 150 to 1,000 architectures."""
_DRIVER = 2e-3
"""Modeled seconds in which a driver gives out a shard and takes its result (`benchmarks/cluster.py`): cores that ask
more often than it answers wait."""
_PER_CORE = 4
"""Shards per core where the work is enough for it."""
_UNEVEN = 1.4
"""A piece is divided from so many times its size on: its parts are not much smaller then than those that stay."""
_WORTH = 0.25
"""A cut may have this share of a piece done twice, however large the piece stays."""
_OFF_MIDDLE = 0.2
"""How far from its middle a piece may be cut, as a share of its work."""
_AS_CHEAP = 1.02
"""Of cuts that cost so nearly the same, the one nearest to the middle is taken."""

_PARTS = 8
"""Parts at least into which a large space falls before it is cut."""
_LONG = 0.7
"""Of the longest shard of a part: what takes less waits for the long ones of all parts."""


def cut(
    supernet: Supernet,
    table: CostTable,
    rows: NDArray[np.uint8],
    samples: int,
    *,
    cores: int,
    smallest: float | None = None,
    largest: float = LARGEST,
) -> list[NDArray[np.int64]]:
    """Positions in `rows` of the architectures of each shard; every one is in exactly one.

    Args:
        supernet: whose subnets.
        table: its costs.
        rows: (n, d) canonical architectures, all different.
        samples: that go through; 1 where the costs are those of everything at once (a graph).
        cores: that will work.
        smallest: modeled seconds below which nothing is cut further; `SMALLEST` if left out, more for so many cores that
            the driver could not serve them.
        largest: modeled seconds above which everything is, unless much of it would then be done twice.

    Returns:
        Shards in the order in which they should start, the longest first (where a stage computes siblings together, by
        the most that may take); within each in the order of the walk.
    """
    least = max(SMALLEST, cores * _DRIVER) if smallest is None else smallest
    found = _cut(supernet, table, rows, samples, max(cores, 1), least, largest)
    return [shard for _, shard in found]


def cut_in_turn(
    supernet: Supernet,
    table: CostTable,
    rows: NDArray[np.uint8],
    samples: int,
    *,
    cores: int,
    at_once: int = 100_000,
) -> Iterator[NDArray[np.int64]]:
    """As `cut`, but the first shards of a large space are there before all of it is cut.

    Args:
        supernet, table, rows, samples, cores: see `cut`.
        at_once: up to so many architectures are cut together.

    Yields:
        Shards, the longest of each part of the space first, then what is shorter of all parts, the longest first.
    """
    if len(rows) <= at_once:
        yield from cut(supernet, table, rows, samples, cores=cores)
        return
    least, later = max(SMALLEST, cores * _DRIVER), []
    for part in by_beginnings(supernet, rows, _PARTS):
        share = max(cores, 1) * len(part) / len(rows)
        found = _cut(supernet, table, rows[part], samples, share, least, LARGEST)
        for seconds, shard in found:
            if seconds >= _LONG * found[0][0]:
                yield part[shard]
            else:
                later.append((seconds, part[shard]))
    later.sort(key=lambda each: -each[0])
    yield from (shard for _, shard in later)


def repeated(
    supernet: Supernet,
    table: CostTable,
    rows: NDArray[np.uint8],
    samples: int,
    shards: Sequence[NDArray[np.int64]],
) -> float:
    """Work that is done more than once, as a share of that of one walk over all of `rows`, in modeled seconds.

    Args:
        supernet, table, rows, samples: see `cut`.
        shards: positions in `rows`, however they were cut.
    """
    apart = seconds_of_walks(supernet, table, rows, samples, shards).sum()
    whole = seconds_of_walks(supernet, table, rows, samples, [np.arange(len(rows))]).sum()
    return float(apart / whole - 1) if whole else 0.0


def _cut(
    supernet: Supernet,
    table: CostTable,
    rows: NDArray[np.uint8],
    samples: int,
    cores: float,
    smallest: float,
    largest: float,
) -> list[tuple[float, NDArray[np.int64]]]:
    """(seconds, positions) of each shard, the longest first."""
    if not len(rows):
        return []
    trie = Trie.of(supernet, rows)
    line = _Line.of(supernet, table, trie.codes, rows[trie.order], samples)
    pieces = [
        (line.seconds(low, high), trie.order[low:high])
        for low, high in sorted(_guided(line, cores, smallest, largest))
    ]
    return sorted(pieces, key=lambda piece: -piece[0])


# --- pieces -------------------------------------------------------------------------------------

_Piece = tuple[int, int]


def _guided(line: _Line, cores: float, smallest: float, largest: float) -> list[_Piece]:
    """Pieces in falling sizes: of each size as many as leave to the smaller ones a turn for every core."""
    left = [(0, len(line.upto))]
    work = line.seconds(0, len(line.upto))
    size = min(max(work * 2 / (_PER_CORE * cores), smallest), largest / _UNEVEN)
    kept: list[_Piece] = []
    while True:
        left = [part for piece in left for part in _divided(line, piece, size * _UNEVEN)]
        if size <= smallest:
            break
        # Those that cost the least are divided further.
        left.sort(key=lambda piece: line.cheapest(*piece)[1])
        spent = np.cumsum([line.seconds(*piece) for piece in left])
        further = int(np.searchsorted(spent, cores * size)) + 1
        kept += left[further:]
        left = left[:further]
        size = max(size / 2, smallest)
    return _enough(line, kept + left, _PER_CORE * cores, 2 * smallest)


def _divided(line: _Line, piece: _Piece, limit: float) -> list[_Piece]:
    """Parts of less than so many seconds, the cheapest to make."""
    found, left = [], [piece]
    while left:
        low, high = left.pop()
        at = line.worth_cutting(low, high) if line.seconds(low, high) >= limit else None
        if at is None:
            found.append((low, high))
        else:
            left += [(at, high), (low, at)]
    return found


def _enough(line: _Line, pieces: list[_Piece], wanted: float, limit: float) -> list[_Piece]:
    """The longest ones cut in two until there are as many as wanted, or all take less than so many seconds."""
    heap = [(-line.seconds(*piece), piece) for piece in pieces]
    heapq.heapify(heap)
    done: list[_Piece] = []
    while heap and len(heap) + len(done) < wanted and -heap[0][0] >= limit:
        _, (low, high) = heapq.heappop(heap)
        at = line.worth_cutting(low, high)
        if at is None:
            done.append((low, high))
            continue
        for part in ((low, at), (at, high)):
            heapq.heappush(heap, (-line.seconds(*part), part))
    return done + [piece for _, piece in heap]


@dataclass(frozen=True)
class _Line:
    """The architectures in the order of the walk, and what a cut before each costs.

    Attributes:
        upto: (n,) modeled seconds of the walk up to and with each architecture.
        alone: (n,) seconds that a walk which begins here needs for its first architecture, and at most for what
            its siblings have ready elsewhere.
        again: (n,) seconds that are spent twice if the walk is cut before this one.
    """

    upto: NDArray[np.float64]
    alone: NDArray[np.float64]
    again: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        supernet: Supernet,
        table: CostTable,
        codes: NDArray[np.int32],
        rows: NDArray[np.uint8],
        samples: int,
    ) -> _Line:
        """Of architectures in the order of the walk, with their codes in the trie."""
        n = len(rows)
        # What holds from one beginning to the next is written as its rise there, and summed up in the end.
        new, alone, again, own = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
        for here in nodes_of(supernet, table, codes, rows, samples, np.zeros(1, np.int64)):
            at = slice(None) if len(here.at) == n else here.at  # where all differ, nothing need be looked up
            cost = here.computed + here.written
            twice = cost
            if here.together:
                sizes = np.diff(here.parents, append=len(here.at))
                families = np.repeat(np.arange(len(sizes)), sizes)
                before = _widest(here.computed, families)
                after = _widest(here.computed[::-1], families[::-1])[::-1]
                rise = np.diff(before, prepend=0.0)
                rise[here.parents] = before[here.parents]
                new[at] += rise + here.written
                # Whoever is cut off from its sisters computes their common part again, as far as it needs it.
                common = np.minimum(before[:-1], after[1:])
                common[here.parents[1:] - 1] = 0.0
                own[here.at[1:]] += common
                cost, twice = before + here.written, np.minimum(before, after) + here.written
            else:
                new[at] += cost
            alone[at] += np.diff(cost, prepend=0.0)
            again[at] += np.diff(twice, prepend=0.0)
            own[at] -= twice
        return cls(np.cumsum(new), np.cumsum(alone), np.maximum(np.cumsum(again) + own, 0.0))

    def seconds(self, low: int, high: int) -> float:
        """Of the walk over [low, high) by itself; where siblings are computed together, at most."""
        return float(self.alone[low] + self.upto[high - 1] - self.upto[low])

    def cheapest(self, low: int, high: int) -> tuple[int, float]:
        """Where to cut [low, high) in two, near its middle by work, and what is spent twice then."""
        if high - low < 2:
            return high, np.inf
        before = self.upto[low:high] + (self.alone[low] - self.upto[low])
        middle, room = before[-1] / 2, before[-1] * _OFF_MIDDLE
        start, end = np.searchsorted(before, [middle - room, middle + room]).tolist()
        # What is cut before architecture i ends with i - 1; at least one is on either side.
        start, end = min(start + 1, high - low - 1), min(max(end + 1, start + 2), high - low)
        costs = self.again[low + start : low + end]
        near = np.flatnonzero(costs <= costs.min() * _AS_CHEAP)
        off = np.abs(before[start + near - 1] - middle)
        at = int(near[np.argmin(off)])
        return low + start + at, float(costs[at])

    def worth_cutting(self, low: int, high: int) -> int | None:
        """Where to cut [low, high) in two; None where too much of it would be done twice."""
        at, again = self.cheapest(low, high)
        return at if again <= _WORTH * self.seconds(low, high) else None


def _widest(values: NDArray[np.float64], families: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n,) largest value so far within each family; families stand together."""
    found, step = values.copy(), 1
    while True:
        same = families[step:] == families[:-step]
        if not same.any():
            return found
        found[step:] = np.where(same, np.maximum(found[step:], found[:-step]), found[step:])
        step *= 2
