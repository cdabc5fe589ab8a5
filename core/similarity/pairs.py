"""Measures that look at all pairs of samples: an (n, n) matrix per layer, kept once and never copied.

A shuffled layer is the same matrix with another order of its samples. The order is applied while the
matrix is read, some rows at a time, so a null value costs no memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.similarity.base import Undefined

MOST_SAMPLES = 2_000
"""Above this, 24 layers would need more than a gigabyte for their matrices."""

# Rows read at a time: 24 blocks of them stay in the processor's cache.
ROWS = 12
PIECE = 8_192


@dataclass(frozen=True, eq=False)
class SamplePairs:
    """A number for every pair of samples of one layer.

    Attributes:
        values: (n, n), symmetric.
        order: (n,) which sample stands in each place; None for the samples' own order.
    """

    values: NDArray[np.float64]
    order: NDArray[np.intp] | None = None

    def reordered(self, order: NDArray[np.intp]) -> SamplePairs:
        return SamplePairs(self.values, order if self.order is None else self.order[order])

    def whole(self) -> NDArray[np.float64]:
        """(n, n) in the order of the samples."""
        return self.values if self.order is None else self.values[np.ix_(self.order, self.order)]

    def strip(self, start: int, stop: int) -> NDArray[np.float64]:
        """Rows start to stop, from column `start` on (the matrix is symmetric)."""
        if self.order is None:
            return self.values[start:stop, start:]
        rows = self.values.take(self.order[start:stop], axis=0)
        strip: NDArray[np.float64] = rows.take(self.order[start:], axis=1)
        return strip


def inner_products(rows: Sequence[SamplePairs], columns: Sequence[SamplePairs]) -> NDArray[np.float64]:
    """(rows, columns) sums over all pairs of samples of rows[i] * columns[j]; reads each matrix once."""
    total = np.zeros((len(rows), len(columns)))
    if not rows or not columns:
        return total
    n = len(rows[0].values)
    for start in range(0, n, ROWS):
        stop = min(start + ROWS, n)
        left = np.stack([pairs.strip(start, stop) for pairs in rows])
        left[:, :, stop - start :] *= 2  # the columns behind stand for their mirror image too
        right = np.stack([pairs.strip(start, stop) for pairs in columns])
        total += left.reshape(len(rows), -1) @ right.reshape(len(columns), -1).T
    return total


def flat_products(
    rows: Sequence[NDArray[np.float64]], columns: Sequence[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """(rows, columns) inner products of long vectors of one length, piece by piece in cache."""
    total = np.zeros((len(rows), len(columns)))
    for start in range(0, len(rows[0]) if rows and columns else 0, PIECE):
        left = np.stack([vector[start : start + PIECE] for vector in rows])
        total += left @ np.stack([vector[start : start + PIECE] for vector in columns]).T
    return total


def few_enough(n: int) -> None:
    """Refuse a matrix that memory should not hold.

    Raises:
        Undefined: n is above `MOST_SAMPLES`.
    """
    if n > MOST_SAMPLES:
        raise Undefined(
            f"This measure compares every sample with every other, for at most {MOST_SAMPLES:,} samples; "
            f"there are {n:,}. Average over positions instead, or choose fewer samples."
        )


def squared_distances(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, n) squared Euclidean distances between the rows of x, (n, p); exact zeros on the diagonal."""
    squares = np.einsum("ij,ij->i", x, x)
    distances = x @ x.T
    distances *= -2
    distances += squares[:, None]
    distances += squares
    np.maximum(distances, 0, out=distances)  # rounding puts equal samples slightly below
    np.fill_diagonal(distances, 0)
    return distances


def double_centered(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """A symmetric (n, n) matrix with the mean of every row and column taken off, in place: H K H."""
    means = matrix.mean(axis=0)
    matrix -= means
    matrix -= means[:, None]
    matrix += means.mean()
    return matrix


def above_diagonal(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The n (n - 1) / 2 entries of an (n, n) matrix above its diagonal, row by row."""
    n = len(matrix)
    return np.concatenate([matrix[i, i + 1 :] for i in range(n - 1)])
