"""How sure a rank correlation is: the things it was taken of, drawn anew."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.seeding import stream

_AT_ONCE = 250


def resampled_kendall(a: ArrayLike, b: ArrayLike, *, draws: int = 1000, seed: int = 0) -> NDArray[np.float64]:
    """(draws,) Kendall's tau-b of n things drawn anew with replacement; NaN where a draw has no order.

    A thing that is drawn twice ties with itself, and such pairs count as ties count.

    Args:
        a, b: (n,) numbers of the same things; infinities are at the ends.
        draws: how many.
        seed: of the draws.
    """
    one, other = (np.unique(np.asarray(v, float), return_inverse=True)[1].reshape(-1) for v in (a, b))
    up, down = (np.sign(v[:, None] - v).astype(np.float32) for v in (one, other))
    both, told_a, told_b = up * down, np.abs(up), np.abs(down)
    n, rng = len(one), stream(seed, "resampled kendall")
    found = []
    for start in range(0, draws, _AT_ONCE):
        some = min(_AT_ONCE, draws - start)
        counts = rng.multinomial(n, np.full(n, 1 / n), size=some).astype(np.float32)
        same, of_a, of_b = (((counts @ m) * counts).sum(1, dtype=np.float64) for m in (both, told_a, told_b))
        with np.errstate(invalid="ignore", divide="ignore"):
            found.append(np.where(of_a * of_b > 0, same / np.sqrt(of_a * of_b), np.nan))
    return np.concatenate(found)


def middle(draws: NDArray[np.float64], level: float = 0.95) -> tuple[float, float]:
    """Where that share of (n,) draws lies, as much left out below as above; NaN where there is none."""
    known = draws[np.isfinite(draws)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
