"""The front on another set of samples: how often each subnet would be on it, luck taken off.

Resampling the samples at hand keeps a front's members too often: they were lucky on these samples, and every resample is
drawn from them. So accuracies are first moved to what is known of them. Which options an architecture has explains
most of its accuracy; what is left is mostly noise, and how much of it is not is what two halves of the samples agree
on. Around these, new accuracies are drawn with both kinds of chance: what is not known of the subnets, and the new samples.
Measured on redivided data, the predicted number of members that stay is right within one of seven; resampling
alone predicts eleven (`benchmarks/chance.py`).

Source: empirical Bayes shrinkage as in Smith, Winkler, "The optimizer's curse", Management Science 52, 2006.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from core.chance.resampling import fronts_of, sample_weights
from core.seeding import stream

DRAWS = 250
_MOST_COLUMNS = 600
_MOST_NUMBERS = 20_000_000
_ROWS_PER_COLUMN = 8
_HALVES = 8


def renewed_share(
    right: NDArray[np.uint8],
    costs: NDArray[np.float64],
    options: NDArray[np.uint8],
    *,
    draws: int = DRAWS,
    seed: int = 0,
    dearer_is_better: bool = False,
) -> NDArray[np.float64]:
    """(n,) share of new sets of as many samples on which each subnet is on the front.

    Args:
        right: (n, n_samples) ones and zeros.
        costs: (n,) exact; finite ones compete.
        options: (n, d) option indices of the architectures.
        draws: new sets that are drawn.
        seed: of the draws.
        dearer_is_better: the second objective is the larger the better.
    """
    n, n_samples = right.shape
    known = np.flatnonzero(np.isfinite(costs))
    share = np.zeros(n)
    if not len(known):
        return share
    told = right[known].astype(np.float32)
    explain = _explained_by(options[known])
    counts = told.sum(axis=1).astype(np.float64)
    explained = explain(counts[:, None])[:, 0]
    left = counts - explained
    real = _real_share(told, explain, left, stream(seed, "halves"))
    weights = sample_weights(n_samples, 2 * draws, seed=seed)
    noise = (told @ weights.T).astype(np.float64) - counts[:, None]
    fresh, before = noise[:, :draws], noise[:, draws:]
    from_options = explain(before)
    drawn = (explained + real * left)[:, None] + fresh
    drawn += from_options + np.sqrt(real) * (before - from_options)
    # Counts are whole: a subnet that is a quarter of a sample ahead is not ahead.
    values = np.rint(drawn).astype(np.float32).T
    signed = -costs[known] if dearer_is_better else costs[known]
    order = np.argsort(signed, kind="stable")
    _, place = fronts_of(np.ascontiguousarray(values[:, order]), signed[order])
    share[known] = np.bincount(order[place], minlength=len(known)) / draws
    return share


Explain = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""(n, k) values of n subnets -> what their options explain of them, (n, k)."""


def _explained_by(options: NDArray[np.uint8]) -> Explain:
    """The least-squares fit by single options and by pairs of them, as far as there are enough subnets."""
    columns = _columns(options)
    if not columns.shape[1]:
        return lambda values: np.broadcast_to(values.mean(axis=0), values.shape)
    square = columns.T @ columns
    # Columns of one choice sum to a constant: a grain of ridge decides between equal fits.
    square[np.diag_indices(len(square))] += 1e-5 * float(np.trace(square)) / len(square)
    inverse = np.linalg.inv(square)

    def explain(values: NDArray[np.float64]) -> NDArray[np.float64]:
        mean = values.mean(axis=0)
        found: NDArray[np.float64] = mean + columns @ (inverse @ (columns.T @ (values - mean)))
        return found

    return explain


def _columns(options: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(n, f) centered indicators of options, then of pairs of options."""
    n, d = options.shape
    single = [_centered(options[:, j, None] == np.unique(options[:, j])) for j in range(d)]
    single = [each for each in single if each.shape[1] > 1]
    most = min(_MOST_COLUMNS, n // _ROWS_PER_COLUMN, _MOST_NUMBERS // max(n, 1))
    mains = sum(each.shape[1] for each in single)
    if not single or mains > most:
        return np.zeros((n, 0))
    pairs = sum(a.shape[1] * b.shape[1] for i, a in enumerate(single) for b in single[i + 1 :])
    found = list(single)
    if mains + pairs <= most:
        found += [
            _centered((a[:, :, None] * b[:, None, :]).reshape(n, -1))
            for i, a in enumerate(single)
            for b in single[i + 1 :]
        ]
    return np.concatenate(found, axis=1)


def _centered(columns: NDArray[np.generic]) -> NDArray[np.float64]:
    values = columns.astype(np.float64)
    return values - values.mean(axis=0)


def _real_share(
    told: NDArray[np.float32], explain: Explain, left: NDArray[np.float64], rng: np.random.Generator
) -> float:
    """Which share of the variance that options do not explain is no noise: what two halves of the samples agree on."""
    n_samples = told.shape[1]
    if n_samples < 4 or not left.any():
        return 0.0
    halves = np.zeros((n_samples, 2 * _HALVES), np.float32)
    for index in range(_HALVES):
        order = rng.permutation(n_samples)
        halves[order[: n_samples // 2], 2 * index] = 1
        halves[order[n_samples // 2 : 2 * (n_samples // 2)], 2 * index + 1] = 1
    parts = (told @ halves).astype(np.float64)
    rest = parts - explain(parts)
    agreed = float((rest[:, ::2] * rest[:, 1::2]).mean())
    # Counts of a half are half of the whole's, so their product is a quarter.
    return float(np.clip(4 * agreed / float((left**2).mean()), 0.0, 1.0))
