"""Which subnets must be timed so that the front consists of measured ones only.

A subnet that was not timed could be on the front of quality and latency if it is faster than every timed subnet that is
as good. How likely that is follows from its prediction and from how far predictions of unseen subnets were off; the sum
over all of them bounds the chance that any one is. Whatever could be there is timed, until that chance is small enough.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from core.evaluation.latency.model import CrossValidation

_FREEDOM = 5.0
"""Of Student's t, whose tail is heavier than a normal one's: rare large errors are taken to happen."""


def fastest_as_good(quality: NDArray[np.float64], ms: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) the least latency among the timed subnets that are at least as good as each; infinite where there is none.

    Args:
        quality: (n,) larger is better.
        ms: (n,) timed latency, NaN where a subnet was not timed.
    """
    order = np.argsort(-quality, kind="stable")
    best = np.fmin.accumulate(np.where(np.isfinite(ms), ms, np.inf)[order])
    # Subnets of equal quality see each other: all of them take the last one's value.
    last = np.searchsorted(-quality[order], -quality, side="right") - 1
    return np.asarray(best[last])


def chances(
    quality: NDArray[np.float64],
    ms: NDArray[np.float64],
    predicted: NDArray[np.float64],
    found: CrossValidation,
) -> NDArray[np.float64]:
    """(n,) how likely each subnet that was not timed is on the front; 0 for those that were, and for no quality.

    An upper bound: subnets that were not timed do not keep each other off it.

    Args:
        quality: (n,) larger is better; NaN where it is not known.
        ms: (n,) timed latency, NaN where a subnet was not timed.
        predicted: (n,) latency by a model.
        found: how far predictions of unseen subnets were off.
    """
    from scipy.special import stdtr

    known = np.isfinite(quality)
    chance = np.zeros(len(quality))
    open_ = known & ~np.isfinite(ms)
    best = np.full(len(quality), np.inf)
    best[known] = fastest_as_good(quality[known], ms[known])
    # A t of 5 degrees has a standard deviation of its own; its scale makes the middle half fit that of the errors.
    scale = found.deviation * 0.6745 / 0.7267 * max(1.0, found.tail / _TAIL_OF_T)
    with np.errstate(divide="ignore"):
        chance[open_] = stdtr(_FREEDOM, np.log(best[open_] / predicted[open_]) / scale)
    return chance


_TAIL_OF_T = 4.032 / 2.576 * 0.6745 / 0.7267
"""99 % of a t of 5 degrees lie within this many times 2.58 of its robust deviations."""


def next_batch(chance: NDArray[np.float64], confidence: float, most: int) -> NDArray[np.int64]:
    """Positions of the subnets to time next, the likeliest first; empty once the front is settled.

    Args:
        chance: (n,) of `chances`.
        confidence: that no subnet which was not timed is on the front.
        most: at most so many.
    """
    allowed = 1.0 - confidence
    if chance.sum() <= allowed:
        return np.zeros(0, np.int64)
    order = np.argsort(-chance, kind="stable")
    # As many as leave half of what is allowed: the model that is fitted to them will move the rest.
    left = chance.sum() - np.cumsum(chance[order])
    enough = int(np.searchsorted(-left, -allowed / 2)) + 1
    return np.asarray(order[: min(enough, most, math.ceil((chance > 0).sum()))])


def near_front(quality: NDArray[np.float64], ms: NDArray[np.float64], within: float) -> NDArray[np.int64]:
    """Positions of timed subnets on the front, or slower than it by at most a share: who is on it is decided among them.

    Args:
        quality: (n,) larger is better; NaN where it is not known.
        ms: (n,) timed latency, NaN where a subnet was not timed.
        within: the share.
    """
    able = np.flatnonzero(np.isfinite(quality) & np.isfinite(ms))
    best = fastest_as_good(quality[able], ms[able])
    return np.asarray(able[ms[able] <= best * (1 + within)])
