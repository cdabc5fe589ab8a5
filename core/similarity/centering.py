"""What almost every measure does to a layer first, and the one matrix product that serves a whole heatmap.

Units that are constant on the samples (dead ones, mostly) are left out: they say nothing about samples,
and dividing by their spread would make numbers out of rounding noise. A layer with no other units has no
value under any measure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from core.similarity.base import Undefined

# Activations arrive as float32, whose rounding is 6e-8 of a value: a smaller spread than this is no signal.
CONSTANT = 1e-9


def varying(x: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(p,) which units of x, (n, p), take more than one value.

    Raises:
        Undefined: there is one sample or none, or no unit varies.
    """
    n, p = x.shape
    if n < 2 or not p:
        raise Undefined(f"There is nothing to compare: {n} samples of {p} units.")
    high, low = x.max(axis=0), x.min(axis=0)
    alive: NDArray[np.bool_] = high - low > CONSTANT * np.maximum(np.abs(high), np.abs(low))
    if not alive.any():
        raise Undefined(
            "The only unit of this layer is constant on these samples, so there is nothing to compare."
            if p == 1
            else f"All {p:,} units of this layer are constant on these samples, so there is nothing to compare."
        )
    return alive


def centered(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The varying units of x, (n, p), with mean zero: a new (n, at most p) array.

    Raises:
        Undefined: no unit varies.
    """
    alive = varying(x)
    kept = x if alive.all() else x[:, alive]
    moved: NDArray[np.float64] = kept - kept.mean(axis=0)
    return moved


def unit_norm(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """x, (n, p), centered without constant units and divided by its Frobenius norm.

    Raises:
        Undefined: no unit varies.
    """
    moved = centered(x)
    moved /= np.linalg.norm(moved)
    return moved


def standardized(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The varying units of x, (n, p), with mean zero and norm one, so that products are correlations.

    Raises:
        Undefined: no unit varies.
    """
    moved = centered(x)
    moved /= np.linalg.norm(moved, axis=0)
    return moved


def reduced(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """x, (n, p), or, where it has more units than samples, (n, n) with the same products of samples.

    Nothing is lost for a measure that a rotation does not change: x = R^T Q^T with orthonormal columns in
    Q, so x and R^T differ by a rotation.
    """
    n, p = x.shape
    if p <= n:
        return x
    factor: NDArray[np.float64] = np.asarray(np.linalg.qr(x.T, mode="r"))
    return factor.T


def cross_products(
    rows: Sequence[NDArray[np.float64]], columns: Sequence[NDArray[np.float64]]
) -> Iterator[tuple[int, int, NDArray[np.float64]]]:
    """(i, j, rows[i].T @ columns[j]) for all pairs, in one matrix product per row layer.

    Args:
        rows: (n, p_i) arrays.
        columns: (n, q_j) arrays.
    """
    if not columns:
        return
    side_by_side = np.concatenate(columns, axis=1)
    ends = np.cumsum([y.shape[1] for y in columns])
    for i, x in enumerate(rows):
        product = x.T @ side_by_side
        for j, block in enumerate(np.split(product, ends[:-1], axis=1)):
            yield i, j, block


def squared_norms(
    rows: Sequence[NDArray[np.float64]], columns: Sequence[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """(rows, columns) of |rows[i].T @ columns[j]|_F^2."""
    values = np.zeros((len(rows), len(columns)))
    for i, j, block in cross_products(rows, columns):
        values[i, j] = np.einsum("ij,ij->", block, block)
    return values
