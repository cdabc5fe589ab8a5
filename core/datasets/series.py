"""Series as a plug-in reads them: numbers over time, a sound or several features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.datasets.base import Raw, Split

SILENCE = 0.0
"""What stands before and after a series that is shorter than the others."""


@dataclass(frozen=True, eq=False)
class RawSeries(Raw):
    """Series of one length.

    Attributes:
        x: (n, channels, length) float32; a sound has one channel and lies from -1 to 1.
        y, classes, n_test: see `Raw`.
        rate: samples per second; 0 where time has no unit.
    """

    x: NDArray[np.float32]
    y: NDArray[np.int64]
    classes: tuple[str, ...]
    rate: int
    n_test: int = 0

    def take(self, ids: NDArray[np.int64]) -> Split:
        """The series at (k,) positions, (k, channels, length) float32."""
        x = np.ascontiguousarray(self.x[ids], dtype=np.float32)
        return Split(x, np.ascontiguousarray(self.y[ids], dtype=np.int64), ids)

    def inputs(self, train: Split) -> dict[str, Any]:
        return {"input_shape": tuple(self.x.shape[1:]), "rate": self.rate}
