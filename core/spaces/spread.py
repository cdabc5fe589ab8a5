"""Architectures spread evenly over a cost, from a space of any size.

Drawing every option with equal chance gives architectures of middling cost only: the sum of many choices is near
its mean. So candidates are drawn with a leaning of their own, from towards the first options to towards the last, and
of those some are taken from every part of the range of costs.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from core.spaces.space import Archs, SearchSpace

_PER_TAKEN, _FEWEST, _MOST = 32, 4096, 65_536
_LEANING = 6.0
"""Logarithm of how much likelier the last option is than the first, at most."""


def spread_rows(
    space: SearchSpace, n: int, rng: np.random.Generator, cost: Callable[[Archs], NDArray[np.float64]]
) -> Archs:
    """Different architectures: the smallest, the largest, and others spread evenly over a cost between them.

    Args:
        space: of any size; nothing here grows with it.
        n: architectures; fewer where the space has fewer.
        rng: source of chance.
        cost: (m, d) architectures -> (m,) what they are spread over.

    Returns:
        (n, d) canonical, in prefix order.
    """
    pool = candidates(space, min(max(_PER_TAKEN * n, _FEWEST), _MOST), rng)
    if len(pool) <= n:
        return pool
    ends = np.array(space.ends or (), np.uint8).reshape(-1, len(space))
    first = np.flatnonzero((pool[:, None, :] == ends[None]).all(axis=2).any(axis=1))[:n]
    bins = _bins(cost(pool), n)
    order = rng.permutation(len(pool))
    order = order[~np.isin(order, first)]
    # The first of every part of the range, then the second of each, until there are enough.
    by_bin = order[np.argsort(bins[order], kind="stable")]
    counts = np.bincount(bins[by_bin], minlength=n)
    turn = np.arange(len(by_bin)) - np.repeat(np.cumsum(counts) - counts, counts)
    taken = by_bin[np.lexsort((rng.permutation(len(by_bin)), turn))][: n - len(first)]
    return np.asarray(pool[np.sort([*first, *taken])])


def _bins(costs: NDArray[np.float64], n: int) -> NDArray[np.int64]:
    """(m,) which of n equal parts of the range each cost lies in."""
    low, high = float(costs.min()), float(costs.max())
    share = (costs - low) / ((high - low) or 1.0)
    return np.minimum((share * n).astype(np.int64), n - 1)


def candidates(space: SearchSpace, m: int, rng: np.random.Generator) -> Archs:
    """About m different architectures of all sizes, the ends among them; all of them where there are no more.

    Returns:
        (k, d) canonical, in prefix order.
    """
    if space.size <= m:
        return space.array()
    leaning = rng.uniform(-_LEANING, _LEANING, m)
    columns = []
    for choice in space.choices:
        count = len(choice.options)
        rank = np.linspace(0, 1, count) if choice.ordinal and count > 1 else np.zeros(count)
        weight = np.exp(leaning[:, None] * rank)
        total = weight.cumsum(axis=1)
        columns.append((rng.random(m)[:, None] * total[:, -1:] > total).sum(axis=1))
    drawn = space.canonicalize(np.minimum(np.stack(columns, axis=1), np.array(space.cardinalities) - 1))
    ends = np.array(space.ends or (), np.uint8).reshape(-1, len(space))
    return np.unique(np.concatenate([drawn, ends]), axis=0)
