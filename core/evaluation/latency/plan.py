"""Which subnets are timed: a seeded sample in which every stage key occurs, and a few anchors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.evaluation.costs import CostTable
from core.evaluation.latency.design import columns_of
from core.seeding import stream

ANCHORS = 8
FEWEST, MOST = 130, 600
_POOL = 8
"""Random subnets drawn for each one that is taken, to have a choice of stage keys."""


def default_size(costs: CostTable) -> int:
    """Subnets that a sample needs: about one and a half per thing the model has to learn."""
    columns = columns_of(costs)
    wanted = int(1.5 * sum(len(group) for group in columns.groups)) + 10 * len(columns.pairs)
    return min(max(wanted, FEWEST), MOST, costs.space.size)


def plan_sample(costs: CostTable, n: int, seed: int = 0) -> NDArray[np.uint8]:
    """A sample of a space that meets every stage key, rare ones first, and is random otherwise.

    Args:
        costs: of the supernet.
        n: subnets; fewer where the space has fewer.
        seed: of all draws; the same seed gives the same sample.

    Returns:
        (n, d) canonical architectures, all different, in the order of the draw.
    """
    space, rng = costs.space, stream(seed, "latency", "plan")
    n = min(n, space.size)
    if space.size <= max(_POOL * n, 4096):
        pool = rng.permutation(space.array())
    else:
        drawn = np.unique(space.sample_array(_POOL * n, rng), axis=0)
        pool = rng.permutation(drawn)
    keys = columns_of(costs).one_hot(pool)
    order = _covering(keys)
    rest = np.setdiff1d(np.arange(len(pool)), order)
    return np.asarray(pool[[*order, *rest][:n]])


def _covering(keys: NDArray[np.bool_]) -> list[int]:
    """Rows, in order, so that each takes the most keys nobody before it has; until all keys are met."""
    missing = keys.any(axis=0)
    chosen: list[int] = []
    # A rare key counts more: it is met by few rows, which must not be left to the end.
    weight = 1.0 / np.maximum(keys.sum(axis=0), 1)
    while missing.any():
        gain = keys[:, missing] @ weight[missing]
        best = int(gain.argmax())
        chosen.append(best)
        missing &= ~keys[best]
    return chosen


def anchors_of(sizes: NDArray[np.float64] | NDArray[np.int64], n: int = ANCHORS) -> NDArray[np.int64]:
    """Positions of subnets spread evenly over a range of sizes: what is timed again to notice drift.

    Args:
        sizes: (m,) of the candidates, in any unit.
        n: how many.
    """
    order = np.argsort(sizes, kind="stable")
    at = np.linspace(0, len(order) - 1, min(n, len(order))).round().astype(int)
    return np.unique(order[at])


# What parts of the work take on one core of an ordinary machine, seconds.
_START, _PER_KEY, _PER_SUBNET = 8.0, 0.03, 0.008
_MACS_PER_SECOND, _OVERHEAD = 4e9, 1e-5
_RUNS, _TIMED_PER_SAMPLED = 5 * 20, 2.5


def expected_seconds(costs: CostTable, *, batch: int = 1) -> float:
    """Roughly how long timing a supernet takes, from its counted costs.

    Args:
        costs: of the supernet.
        batch: samples of one answer.
    """
    rows = costs.space.sample_array(256, stream(0, "latency", "expected"))
    answer = float(costs.total("macs", rows).mean()) * batch / _MACS_PER_SECOND + _OVERHEAD
    timed = min(_TIMED_PER_SAMPLED * default_size(costs), costs.space.size)
    keys = sum(len(group) for group in columns_of(costs).groups)
    return _START + _PER_KEY * keys + timed * (_PER_SUBNET + _RUNS * answer)
