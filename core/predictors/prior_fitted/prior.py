"""What the network is shown: made-up search spaces with made-up objectives.

A data set is additive over choices, with pairs of choices that act together, a bend that stands for saturation, and
noise; some have costs beside. A row is encoded as `core.predictors.prior_fitted.encoding` encodes an architecture.
A Gaussian process on a line is there as well: its posterior is known, so a network that was trained on it can be
held against the truth.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

FEATURES = 48
"""Columns that the shipped network reads; a space with fewer leaves the others at zero."""

Drawn = tuple[NDArray[np.float64], NDArray[np.float64]]
"""(n, d) rows of numbers in [0, 1], and (n,) values."""
Prior = Callable[[np.random.Generator, int], Drawn]


def nas_shaped(rng: np.random.Generator, n: int) -> Drawn:
    """n architectures of one made-up space, with their values; the columns are in random order."""
    columns: list[NDArray[np.float64]] = []
    effects: list[NDArray[np.float64]] = []
    growing: list[NDArray[np.float64]] = []
    depth = _depth(rng, n)
    if depth is not None:
        options = int(depth.max()) + 1
        columns.append(_encoded(depth, options, np.ones(n, bool), ordered=True))
        effects.append(_curve(rng, options, ordered=True)[depth])
    for _ in range(int(rng.integers(3, 25))):
        options = int(rng.integers(2, 6))
        ordered = rng.random() < 0.7
        picked = rng.integers(0, options, n)
        active = np.ones(n, bool) if depth is None else depth >= rng.integers(0, depth.max() + 1)
        encoded = _encoded(picked, options, active, ordered=ordered)
        if sum(each.shape[1] for each in columns) + encoded.shape[1] > FEATURES - 2:
            break
        columns.append(encoded)
        effects.append(np.where(active, _curve(rng, options, ordered=ordered)[picked], 0.0))
        if ordered:
            growing.append(np.where(active, picked + 1.0, 0.0))
    values = _values(rng, effects)
    if growing and rng.random() < 0.5:
        weights = rng.gamma(1.0, 1.0, len(growing))
        cost = np.sum([w * g for w, g in zip(weights, growing, strict=True)], axis=0)
        columns.append(_unit(cost)[:, None])
        if rng.random() < 0.5:
            values = values + rng.uniform(0, 1) * _standard(_unit(cost))
    noise = np.exp(rng.uniform(np.log(0.03), np.log(0.6)))
    x = np.concatenate(columns, axis=1)
    return x[:, rng.permutation(x.shape[1])], _standard(values) + noise * rng.standard_normal(n)


def smooth_line(rng: np.random.Generator, n: int, length: float | None = None) -> Drawn:
    """n points on a line and a draw of a Gaussian process there (RBF, unit variance, noise 0.1)."""
    x = rng.random(n)
    scale = rng.uniform(0.1, 0.5) if length is None else length
    covariance = np.exp(-0.5 * ((x[:, None] - x) / scale) ** 2) + 0.01 * np.eye(n)
    return x[:, None], np.linalg.cholesky(covariance + 1e-9 * np.eye(n)) @ rng.standard_normal(n)


def _depth(rng: np.random.Generator, n: int) -> NDArray[np.int64] | None:
    """How deep each architecture is, in a third of the spaces; choices of deeper blocks then do not matter."""
    return rng.integers(0, rng.integers(2, 5), n) if rng.random() < 1 / 3 else None


def _encoded(
    picked: NDArray[np.int64], options: int, active: NDArray[np.bool_], *, ordered: bool
) -> NDArray[np.float64]:
    if ordered:
        return np.where(active, (picked + 1) / options, 0.0)[:, None]
    return (picked[:, None] == np.arange(options)) * active[:, None].astype(float)


def _curve(rng: np.random.Generator, options: int, *, ordered: bool) -> NDArray[np.float64]:
    """What each option of a choice adds: mostly rising where options have an order."""
    steps = rng.normal(0.6, 0.6, options).cumsum() if ordered else rng.standard_normal(options)
    return np.exp(rng.normal(0, 1)) * (steps - steps.mean())


def _values(rng: np.random.Generator, effects: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    total = _standard(np.sum(effects, axis=0))
    if len(effects) > 1:
        pairs = [rng.choice(len(effects), 2, replace=False) for _ in range(len(effects))]
        together = np.sum([effects[a] * effects[b] for a, b in pairs], axis=0)
        total = total + rng.uniform(0, 0.7) * _standard(together)
    if rng.random() < 0.5:
        total = -np.exp(-rng.uniform(0.2, 0.8) * _standard(total))
    return total


def _standard(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return (values - values.mean()) / (values.std() + 1e-9)


def _unit(values: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = values.min(), values.max()
    return (values - low) / (high - low + 1e-9)
