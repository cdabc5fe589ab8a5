"""Texts as a plug-in reads them: rows of token numbers, padded to one length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.datasets.base import Raw, Split

PADDING = 0
"""The token that fills a row up; it is no word of any vocabulary."""


@dataclass(frozen=True, eq=False)
class RawTokens(Raw):
    """Texts of tokens.

    Attributes:
        x: (n, length) token numbers; `PADDING` after the end of a text.
        y, classes, n_test: see `Raw`.
        vocabulary: how many tokens there are, padding included.
    """

    arrays = ("x", "mask")
    x: NDArray[Any]
    y: NDArray[np.int64]
    classes: tuple[str, ...]
    vocabulary: int
    n_test: int = 0

    def take(self, ids: NDArray[np.int64]) -> Split:
        """The texts at (k,) positions: token numbers (k, length) int64, and which of them are no padding."""
        tokens = np.ascontiguousarray(self.x[ids], dtype=np.int64)
        return Split((tokens, tokens != PADDING), np.ascontiguousarray(self.y[ids], dtype=np.int64), ids)

    def inputs(self, train: Split) -> dict[str, Any]:
        return {"input_shape": (self.x.shape[1],), "vocabulary": self.vocabulary}
