"""Architectures and values as the prior-fitted network takes them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.seeding import stream
from core.spaces import Archs, SearchSpace


def encoded(space: SearchSpace, rows: Archs) -> NDArray[np.float64]:
    """(n, d) numbers in [0, 1]: a column per ordered choice, one per option of the others; 0 where a choice does not matter."""
    active = space.active(rows)
    columns = []
    for index, choice in enumerate(space.choices):
        options, picked = len(choice.options), rows[:, index].astype(int)
        if options == 1:
            continue
        if choice.ordinal:
            columns.append(((picked + 1) / options * active[:, index])[:, None])
        else:
            columns.append((picked[:, None] == np.arange(options)) * active[:, index : index + 1])
    return np.concatenate(columns, axis=1, dtype=float) if columns else np.zeros((len(rows), 1))


def fitting(x: NDArray[np.float64], features: int) -> NDArray[np.float64]:
    """At most that many columns: more are mixed into fewer by a fixed random projection that keeps distances."""
    d = x.shape[1]
    if d <= features:
        return x
    mixing = stream(0, "prior fitted", "projection", d).standard_normal((d, features)) / np.sqrt(features)
    return 0.5 + (x - 0.5) @ mixing * np.sqrt(features / d)


def prepare(
    x: NDArray[np.float64], y: NDArray[np.float64], n: int, features: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows and values as the network takes them: centered, padded; standardized by the first n values."""
    center, scale = standard(y[:n])
    return spread_out(x, features), (y - center) / scale


def standard(values: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and standard deviation of a context; a constant one has deviation 1."""
    deviation = float(values.std())
    return float(values.mean()), deviation if deviation > 1e-12 else 1.0


def spread_out(x: NDArray[np.float64], features: int) -> NDArray[np.float64]:
    """(n, features) numbers around 0 from (n, d) numbers in [0, 1]; the fewer columns, the larger the numbers."""
    n, d = x.shape
    padded = np.zeros((n, features))
    padded[:, :d] = (2 * x - 1) * np.sqrt(features / d)
    return padded
