"""What is known of the accuracies of many subnets together: each one's luck taken off.

Which options an architecture has explains most of its accuracy, and so many subnets share each option that the
explanation hardly depends on chance. What is left of an accuracy is mostly noise; how much of it is not is what two
halves of the samples agree on. Only that share of it is kept. The share is found for subnets of like accuracy together:
bad subnets differ more by what pairs of options do not explain than good ones do.

Source: empirical Bayes shrinkage against the optimizer's curse, Smith, Winkler, "The optimizer's curse: skepticism and
postdecision surprise in decision analysis", Management Science 52, 2006.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.seeding import stream

_MOST_COLUMNS = 600
_MOST_NUMBERS = 20_000_000
_ROWS_PER_COLUMN = 8
_HALVES = 8
_GROUPS = 12
_FEWEST_IN_GROUP = 50

Explain = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""(n, k) values of n subnets -> what their options explain of them, (n, k)."""


@dataclass(frozen=True, eq=False)
class Shrunk:
    """Accuracies of many subnets as they are known together.

    Attributes:
        correct: (n,) samples that each would get right without its luck.
        real: (n,) share of the variance not explained by options that is no noise, among subnets like each.
        explain: by the options of these subnets.
    """

    correct: NDArray[np.float64]
    real: NDArray[np.float64]
    explain: Explain


def shrink(right: NDArray[np.uint8], options: NDArray[np.uint8], *, seed: int = 0) -> Shrunk:
    """Take the luck off.

    Args:
        right: (n, n_samples) ones and zeros.
        options: (n, d) option indices of the architectures.
        seed: of the halves.

    Raises:
        ValueError: the arrays are not of the same subnets.
    """
    if right.ndim != 2 or options.ndim != 2 or len(options) != len(right):
        raise ValueError(f"right {right.shape} and options {options.shape} are not of the same subnets")
    explain = _explained_by(options)
    told = right.astype(np.float32)
    counts = told.sum(axis=1).astype(np.float64)
    explained = explain(counts[:, None])[:, 0]
    left = counts - explained
    real = _real_share(told, explain, explained, left, stream(seed, "halves"))
    return Shrunk(explained + real * left, real, explain)


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
    told: NDArray[np.float32],
    explain: Explain,
    explained: NDArray[np.float64],
    left: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    n, n_samples = told.shape
    if n_samples < 4:
        return np.zeros(n)
    halves = np.zeros((n_samples, 2 * _HALVES), np.float32)
    for index in range(_HALVES):
        order = rng.permutation(n_samples)
        halves[order[: n_samples // 2], 2 * index] = 1
        halves[order[n_samples // 2 : 2 * (n_samples // 2)], 2 * index + 1] = 1
    parts = (told @ halves).astype(np.float64)
    rest = parts - explain(parts)
    agreed = (rest[:, ::2] * rest[:, 1::2]).mean(axis=1)
    groups = max(1, min(_GROUPS, n // _FEWEST_IN_GROUP))
    cuts = np.quantile(explained, np.linspace(0, 1, groups + 1)[1:-1])
    group = np.searchsorted(cuts, explained)
    signal, total = (np.bincount(group, values, minlength=groups) for values in (agreed, left**2))
    # Counts of a half are half of the whole's, so their product is a quarter.
    share = np.divide(4 * signal, total, out=np.zeros(groups), where=total > 0)
    return np.clip(share, 0.0, 1.0)[group]
