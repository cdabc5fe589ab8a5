"""What of a front is more than chance: its sure steps, what is as good and cheaper, how far its knee may move.

A front's line has a step at every member, although most of its steps are one or two samples high. The credible front
keeps the fewest: it starts at the cheapest member, and each next step is the cheapest member that is really better
than the step before. So every member that is no step costs at least as much as a step that it is not told apart from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.chance.intervals import ALPHA, PairedTest, paired
from core.chance.resampling import ResampledFronts

_KNEES_FROM = 250
"""Resamples that knees are looked for in: a share is then known to 3 points."""


@dataclass(frozen=True, eq=False)
class Members:
    """The members of a front on the same samples, from the cheapest to the dearest.

    Attributes:
        only: (m, m) samples that the first got right and the second did not.
        n: samples.
    """

    only: NDArray[np.int64]
    n: int

    @classmethod
    def of(cls, right: NDArray[np.uint8]) -> Members:
        """From (m, n) ones and zeros."""
        given = right.astype(np.int64)
        return cls(given @ (1 - given).T, given.shape[1])

    def __len__(self) -> int:
        return len(self.only)

    def test(self, a: int, b: int) -> PairedTest:
        """One member against another."""
        return paired(int(self.only[a, b]), int(self.only[b, a]), self.n)

    def better(self, a: int, b: int, alpha: float = ALPHA) -> bool:
        """Whether the first is really better than the second."""
        return bool(self.only[a, b] > self.only[b, a]) and self.test(a, b).p < alpha


def credible_steps(members: Members, *, alpha: float = ALPHA) -> list[int]:
    """The members that are sure steps, from the cheapest on; see the module."""
    steps = [0] if len(members) else []
    for index in range(1, len(members)):
        if members.better(index, steps[-1], alpha):
            steps.append(index)
    return steps


def as_good_and_cheaper(members: Members, index: int, *, alpha: float = ALPHA) -> int | None:
    """The cheapest member that costs less and is not told apart from this one; None where there is none."""
    return next((j for j in range(index) if not members.better(index, j, alpha)), None)


@dataclass(frozen=True)
class Spread:
    """How far something moves between resamples.

    Attributes:
        low, high: ends of the middle 90 %.
        same: share of the resamples in which it is the very same subnet.
        found: share of the resamples in which there is one.
    """

    low: float
    high: float
    same: float
    found: float


def knee_spread(
    fronts: ResampledFronts,
    costs: NDArray[np.float64],
    knee: int,
    find: Callable[[Sequence[tuple[float, float]]], int | None],
) -> Spread | None:
    """How far a knee moves.

    Args:
        fronts: of the resamples.
        costs: (n,) of all subnets.
        knee: row of the knee of the front itself.
        find: from (cost, samples right) of a front's members to the number of its knee.

    Returns:
        None where no resample has a knee.
    """
    last = int(np.searchsorted(fronts.resample, min(_KNEES_FROM, fronts.resamples)))
    cuts = np.flatnonzero(np.diff(fronts.resample[:last])) + 1
    found = []
    for rows, correct in zip(
        np.split(fronts.row[:last], cuts), np.split(fronts.correct[:last], cuts), strict=True
    ):
        at = find(list(zip(costs[rows].tolist(), correct.tolist(), strict=True)))
        if at is not None:
            found.append(int(rows[at]))
    if not found:
        return None
    low, high = np.quantile(costs[found], [0.05, 0.95], method="inverted_cdf")
    looked = min(_KNEES_FROM, fronts.resamples)
    return Spread(float(low), float(high), float(np.mean(np.array(found) == knee)), len(found) / looked)
