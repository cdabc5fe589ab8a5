"""A distribution over numbers as bars: a probability for each stretch between borders, tails at both ends.

The two outer bars are half-normal distributions, so that every number has some density.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_MEDIAN = 0.6744897501960817
"""Of a half-normal distribution of scale 1."""


def borders_of(values: NDArray[np.float64], bars: int) -> NDArray[np.float64]:
    """(bars + 1,) borders between which the values lie equally often; the outer ones halve what lies in each tail."""
    shares = np.linspace(0, 1, bars + 1)
    shares[[0, -1]] = 0.5 / bars, 1 - 0.5 / bars
    borders: NDArray[np.float64] = np.quantile(values, shares)
    return borders


def tail_scales(borders: NDArray[np.float64]) -> tuple[float, float]:
    """Scales of the two tails: half of each lies within its bar."""
    return float(borders[1] - borders[0]) / _MEDIAN, float(borders[-1] - borders[-2]) / _MEDIAN


def moments(
    logits: NDArray[np.float64], borders: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n,) means and (n,) variances of n distributions.

    Args:
        logits: (n, bars).
        borders: (bars + 1,) ascending.
    """
    share = probabilities(logits)
    low, high = tail_scales(borders)
    middle = (borders[1:] + borders[:-1]) / 2
    spread = (borders[1:] - borders[:-1]) ** 2 / 12
    middle[0] = borders[1] - low * math.sqrt(2 / math.pi)
    middle[-1] = borders[-2] + high * math.sqrt(2 / math.pi)
    spread[0], spread[-1] = (scale**2 * (1 - 2 / math.pi) for scale in (low, high))
    mean = share @ middle
    return mean, share @ (spread + middle**2) - mean**2


def probabilities(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, bars) shares that sum to one."""
    raised = np.exp(logits - logits.max(-1, keepdims=True))
    shares: NDArray[np.float64] = raised / raised.sum(-1, keepdims=True)
    return shares


def cumulative(
    logits: NDArray[np.float64], borders: NDArray[np.float64], at: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n, k) probability of at most each of k numbers, for n distributions."""
    share = probabilities(logits)
    low, high = tail_scales(borders)
    widths = np.maximum(borders[1:] - borders[:-1], 1e-12)
    inside = np.clip((at[:, None] - borders[:-1]) / widths, 0, 1)
    erf = np.vectorize(math.erf)
    inside[:, 0] = 1 - erf(np.maximum(borders[1] - at, 0) / (low * math.sqrt(2)))
    inside[:, -1] = erf(np.maximum(at - borders[-2], 0) / (high * math.sqrt(2)))
    below: NDArray[np.float64] = share @ inside.T
    return below
