"""The front on another set of samples: how often each subnet would be on it.

Resampling the samples at hand keeps a front's members too often: they were lucky on these samples, and every resample is
drawn from them. So new accuracies are drawn around what is known without that luck (`core.chance.shrinkage`), with both
kinds of chance: what is not known of the subnets, and the new samples. On the images of five supernets, divided anew,
5.5 to 18.1 members were predicted to stay and 4.8 to 17.3 did; resampling alone predicts 9.7 to 25.3
(`benchmarks/chance.py`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.chance.resampling import fronts_of, sample_weights
from core.chance.shrinkage import Shrunk

DRAWS = 250


def renewed_share(
    right: NDArray[np.uint8],
    costs: NDArray[np.float64],
    known: Shrunk,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    dearer_is_better: bool = False,
) -> NDArray[np.float64]:
    """(n,) share of new sets of as many samples on which each subnet is on the front.

    Args:
        right: (n, n_samples) ones and zeros.
        costs: (n,) exact; a subnet whose cost is not finite is on no front and keeps no other off.
        known: of these subnets.
        draws: new sets that are drawn.
        seed: of the draws.
        dearer_is_better: the second objective is the larger the better.
    """
    n, n_samples = right.shape
    signed = -costs if dearer_is_better else costs
    order = np.argsort(signed, kind="stable")[: int(np.isfinite(costs).sum())]
    if not len(order):
        return np.zeros(n)
    told = right.astype(np.float32)
    weights = sample_weights(n_samples, 2 * draws, seed=seed)
    noise = (told @ weights.T).astype(np.float64) - told.sum(axis=1, dtype=np.float64)[:, None]
    fresh, before = noise[:, :draws], noise[:, draws:]
    explained = known.explain(before)
    drawn = known.correct[:, None] + fresh + explained + np.sqrt(known.real)[:, None] * (before - explained)
    # Counts are whole: a subnet that is a quarter of a sample ahead is not ahead.
    values = np.rint(drawn[order]).astype(np.float32).T
    _, place = fronts_of(np.ascontiguousarray(values), signed[order])
    return np.bincount(order[place], minlength=n) / draws
