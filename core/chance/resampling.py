"""The front under resampling: how often each subnet is on it when the samples are drawn anew.

Every resample weighs the samples for all subnets alike (multinomial, n of n), so what the subnets share does not count
as chance. Costs are exact. With one accuracy and one cost the front is a running maximum in the order of cost; equal
costs are taken together, as dominance takes them: of subnets that cost the same only the best can be on the front, and
all that are equally good are.

Source: paired bootstrap membership as in Budszuhn, Krallmann, Horn 2025, arXiv 2503.21495.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.seeding import stream

RESAMPLES = 2_000
# Resamples handled at a time: bounds memory to (subnets x this) numbers, and stays within the caches.
_AT_ONCE = 125


@dataclass(frozen=True, eq=False)
class ResampledFronts:
    """The fronts of many resamples.

    Attributes:
        share: (n,) in which share of the resamples each subnet is on the front; 0 where it was left out.
        resample: (m,) number of the resample of each membership, ascending.
        row: (m,) row of the subnet.
        correct: (m,) samples it got right there, of `n_samples`.
        resamples, n_samples: how many.
    """

    share: NDArray[np.float64]
    resample: NDArray[np.int32]
    row: NDArray[np.int32]
    correct: NDArray[np.float32]
    resamples: int
    n_samples: int


def sample_weights(n_samples: int, resamples: int, *, seed: int = 0) -> NDArray[np.float32]:
    """(resamples, n_samples) how often each sample is drawn; every row sums to `n_samples`."""
    drawn = stream(seed, "resamples").multinomial(
        n_samples, np.full(n_samples, 1 / n_samples), size=resamples
    )
    return drawn.astype(np.float32)


def resampled_fronts(
    right: NDArray[np.uint8],
    costs: NDArray[np.float64],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    dearer_is_better: bool = False,
) -> ResampledFronts:
    """Draw the samples anew many times, and find the front each time.

    Args:
        right: (n, n_samples) ones and zeros, as `CorrectBits.matrix` gives.
        costs: (n,) exact; a subnet whose cost is not finite is on no front and keeps no other off.
        resamples: how many.
        seed: of the draws.
        dearer_is_better: the second objective is the larger the better.

    Raises:
        ValueError: the arrays do not fit each other.
    """
    if right.ndim != 2 or costs.shape != (len(right),):
        raise ValueError(f"right {right.shape} and costs {costs.shape} are not of the same subnets")
    n, n_samples = right.shape
    known = np.flatnonzero(np.isfinite(costs))
    order = known[np.argsort(-costs[known] if dearer_is_better else costs[known], kind="stable")]
    weights = sample_weights(n_samples, resamples, seed=seed)
    # Samples that all or none get right shift all subnets alike.
    told = right[order]
    total = told.sum(axis=0, dtype=np.int64)
    differs = (total > 0) & (total < len(order))
    shift = weights[:, total == len(order)].sum(axis=1) if len(order) else np.zeros(resamples, np.float32)
    by_sample = np.ascontiguousarray(told[:, differs].T.astype(np.float32))
    parts = []
    for first in range(0, resamples if len(order) else 0, _AT_ONCE):
        counts = weights[first : first + _AT_ONCE, differs] @ by_sample
        which, at = fronts_of(counts, costs[order])
        correct = counts[which, at] + shift[first : first + _AT_ONCE][which]
        parts.append((which + first, order[at], correct))
    none = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))
    resample, row, correct = (np.concatenate(each) for each in zip(none, *parts, strict=True))
    share = np.bincount(row, minlength=n) / resamples
    return ResampledFronts(
        share=share,
        resample=resample.astype(np.int32),
        row=row.astype(np.int32),
        correct=correct.astype(np.float32),
        resamples=resamples,
        n_samples=n_samples,
    )


def fronts_of(
    values: NDArray[np.float32], costs: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(resample, place) of the members of each front, by resample and then by place.

    Args:
        values: (resamples, n), the larger the better.
        costs: (n,) in order, the better first.
    """
    starts = np.flatnonzero(np.diff(costs, prepend=np.nan) != 0)
    ends = np.append(starts[1:], len(costs))
    best = np.maximum.reduceat(values, starts, axis=1)
    so_far = np.maximum.accumulate(best, axis=1)
    better = np.empty(best.shape, bool)
    better[:, 0] = True
    np.greater(best[:, 1:], so_far[:, :-1], out=better[:, 1:])
    which, group = np.nonzero(better)
    sizes = (ends - starts)[group]
    # All places of the groups that hold a member, then those that are as good as the group's best.
    into = np.repeat(np.arange(len(group)), sizes)
    place = starts[group][into] + np.arange(len(into)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    member = values[which[into], place] == best[which[into], group[into]]
    return which[into][member], place[member]


def resampled_volumes(
    right: NDArray[np.uint8],
    costs: NDArray[np.float64],
    weights: NDArray[np.float32],
    *,
    reference: tuple[float, float],
) -> NDArray[np.float64]:
    """(resamples,) hypervolume of the front of some subnets in each resample.

    Args:
        right: (n, n_samples) ones and zeros.
        costs: (n,) exact, the less the better.
        weights: (resamples, n_samples) of `sample_weights`: the same ones for whatever is compared.
        reference: (accuracy, cost) against which volumes are taken.
    """
    order = np.argsort(costs, kind="stable")
    inside = order[costs[order] < reference[1]]
    if not len(inside):
        return np.zeros(len(weights))
    shares = weights @ right[inside].T.astype(np.float32) / right.shape[1]
    best = np.maximum.accumulate(shares, axis=1).astype(np.float64)
    widths = np.diff(np.append(costs[inside], reference[1]))
    return np.asarray(np.maximum(best - reference[0], 0.0) @ widths)
