"""What picking the best promises too much, and what to expect instead.

The most accurate of thousands of subnets was lucky, too: on other samples it does worse than on those that it was
picked by. Resampling shows by how much. In a resample the best subnet up to a cost does better than the same subnet does
on the samples themselves; the mean of this difference is what picking at that cost gains from luck, and it is taken off.

Of the estimators tried (`benchmarks/chance.py` prints them) this one and two that shrink accuracies towards a model
of the architectures' choices cover equally well; the truncated normal of Andrews, Kitagawa and McCloskey holds the truth
in 68 of 100 cases instead of 90, because the best is mostly one sample ahead of the next and the bound is all it sees.

Source: bootstrap estimate of optimism, Efron, "Estimating the error rate of a prediction rule", JASA 78, 1983.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.chance.intervals import score_interval
from core.chance.resampling import ResampledFronts

LEVEL = 0.90
"""Of the intervals of what to expect."""


@dataclass(frozen=True, eq=False)
class Expected:
    """What members of a front may be expected to reach on other samples; every array is (m,).

    Attributes:
        optimism: what their accuracy promises too much.
        value: their accuracy without it.
        low, high: where their accuracy on `n_new` other samples lies in 9 of 10 cases.
        n_new: samples it is asked for.
    """

    optimism: NDArray[np.float64]
    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    n_new: int


def expected(
    fronts: ResampledFronts,
    costs: NDArray[np.float64],
    correct: NDArray[np.int64],
    members: NDArray[np.int64],
    *,
    n_new: int = 0,
    dearer_is_better: bool = False,
    level: float = LEVEL,
) -> Expected:
    """Take the luck of picking off, and say where the accuracy on other samples lies.

    Args:
        fronts: of the resamples.
        costs: (n,) of all subnets.
        correct: (n,) samples that each got right.
        members: (m,) rows of the front's members.
        n_new: how many other samples; as many as these if 0.
        dearer_is_better: as the fronts were made.
        level: of the intervals.
    """
    n, new = fronts.n_samples, n_new or fronts.n_samples
    optimism = _optimism(fronts, -costs if dearer_is_better else costs, correct, members)
    value = np.clip(correct[members] / n - optimism, 0.0, 1.0)
    # These samples and the others vary independently: as if there were fewer, by the sum of both variances.
    alike = 1 / (1 / n + 1 / new)
    low, high = score_interval(value, alike, level=level)
    return Expected(optimism, value, low, high, new)


def _optimism(
    fronts: ResampledFronts,
    costs: NDArray[np.float64],
    correct: NDArray[np.int64],
    members: NDArray[np.int64],
) -> NDArray[np.float64]:
    """(m,) mean over resamples of how much better the best up to each member's cost looks than it did."""
    if not len(fronts.row):
        return np.zeros(len(members))
    order = np.unique(costs[fronts.row])
    # Members of a resample come in the order of cost, so the last one up to a cost is the best up to it.
    place = fronts.resample.astype(np.int64) * len(order) + np.searchsorted(order, costs[fronts.row])
    gain = (fronts.correct - correct[fronts.row]) / fronts.n_samples
    first = np.arange(fronts.resamples, dtype=np.int64) * len(order)
    found = np.zeros(len(members))
    for index, upto in enumerate(np.searchsorted(order, costs[members], side="right") - 1):
        at = np.searchsorted(place, first + upto, side="right") - 1
        # A resample whose every member is dearer has no best up to this cost.
        there = (upto >= 0) & (at >= 0) & (place[at] >= first)
        found[index] = float(gain[at[there]].mean()) if there.any() else 0.0
    return found
