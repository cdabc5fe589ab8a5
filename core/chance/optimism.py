"""What picking the best promises too much, and what to expect of a subnet instead.

The most accurate of thousands of subnets was lucky, too: on other samples it does worse than on those that it was picked
by. What is expected instead is its accuracy without its luck (`core.chance.shrinkage`).

Chosen by measurement (`benchmarks/chance.py` prints it): on the images of five supernets, divided anew many times,
intervals of 90 % around it hold the accuracy on the other part for 87 to 95 % of a front's members. Taking off the mean luck
of the best in resamples (Efron's optimism) is as right on average, but not for each: 83 to 93 %. The truncated normal of
Andrews, Kitagawa and McCloskey holds 68 %: the best is mostly one sample ahead of the next, and that bound is all it looks
at. With nothing taken off it is 83 to 91 %, and members look a point too good. On one division by itself all members are in
or many are out: they were measured on the same samples, so they are lucky or unlucky together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.chance.intervals import score_interval
from core.chance.shrinkage import Shrunk

LEVEL = 0.90
"""Of the intervals of what to expect."""


@dataclass(frozen=True, eq=False)
class Expected:
    """What subnets may be expected to reach on other samples; every array is (m,).

    Attributes:
        optimism: what their accuracy promises too much; negative for one that was unlucky.
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
    right: NDArray[np.uint8],
    known: Shrunk,
    rows: NDArray[np.int64],
    *,
    n_new: int = 0,
    level: float = LEVEL,
) -> Expected:
    """What to expect of some of the subnets.

    Args:
        right: (n, n_samples) ones and zeros of all subnets.
        known: of them.
        rows: (m,) which of them.
        n_new: how many other samples; as many as these if 0.
        level: of the intervals.
    """
    n, new = right.shape[1], n_new or right.shape[1]
    seen = right[rows].sum(axis=1) / n
    value = np.clip(known.correct[rows] / n, 0.0, 1.0)
    # These samples and the others vary independently: as if there were fewer, by the sum of both variances.
    low, high = score_interval(value, 1 / (1 / n + 1 / new), level=level)
    return Expected(seen - value, value, low, high, new)
