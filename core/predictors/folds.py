"""Dividing rows into folds of nearly equal size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.seeding import stream


def folds_of(n: int, folds: int, seed: int) -> NDArray[np.int64]:
    """(n,) which fold each row is in, at random; sizes differ by one at most."""
    return stream(seed, "folds", folds).permutation(np.arange(n) % folds)
