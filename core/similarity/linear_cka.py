"""Centered kernel alignment with a linear kernel: unbiased, biased, and accumulated over mini-batches.

All three come from cross-products of units, never from n x n Gram matrices: for layers of p and q units
that is n p q work instead of n^2 (p + q), and all layers of two nets are one matrix product.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from core.similarity.base import MEASURES, Measure, Undefined

_SIMILAR = frozenset({"permutation", "scale", "translation", "orthogonal"})
_CONSTANT = "Every unit of this layer is constant on these samples."
# Below this share of the layer's own size a spread is rounding, not signal.
_ROUNDING = 1e-10


@dataclass(frozen=True, eq=False)
class Prepared:
    """A centered layer and what the unbiased estimate needs of its Gram matrix K without its diagonal.

    Attributes:
        x: (n, p) centered activations, scaled to unit Frobenius norm.
        squares: (n,) diagonal of K.
        sums: (n,) row sums of K without its diagonal.
        own: the layer's estimate with itself.
    """

    x: NDArray[np.float64]
    squares: NDArray[np.float64]
    sums: NDArray[np.float64]
    own: float


def centered(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns without their means, unit Frobenius norm, at most n columns (rotated where there were more).

    Raises:
        Undefined: every unit is constant.
    """
    moved = x - x.mean(0)
    norm = float(np.linalg.norm(moved))
    if norm <= _ROUNDING * max(float(np.linalg.norm(x)), 1e-300):
        raise Undefined(_CONSTANT)
    moved /= norm
    n, p = moved.shape
    if p > n:
        # A rotation of the units changes nothing here, and n of them hold everything.
        values, vectors = np.linalg.eigh(moved @ moved.T)
        moved = vectors * np.sqrt(np.maximum(values, 0.0))
    return moved


def _prepare(x: NDArray[np.float64]) -> Prepared:
    moved = centered(x)
    squares = np.einsum("ij,ij->i", moved, moved)
    sums = moved @ moved.sum(0) - squares
    made = Prepared(moved, squares, sums, 0.0)
    return Prepared(moved, squares, sums, _hsic(made, made))


def _hsic(a: Prepared, b: Prepared, cross: float | None = None) -> float:
    """Unbiased HSIC, eq. 5 of Song et al. 2012, from cross-products; `cross` is |X'Y|^2 if known."""
    n = len(a.squares)
    if cross is None:
        cross = float(np.square(a.x.T @ b.x).sum())
    trace = cross - float(a.squares @ b.squares)
    total = float(a.sums.sum() * b.sums.sum()) / ((n - 1) * (n - 2))
    return (trace + total - 2 / (n - 2) * float(a.sums @ b.sums)) / (n * (n - 3))


def _crosses(rows: Sequence[Prepared], columns: Sequence[Prepared]) -> NDArray[np.float64]:
    """|X'Y|^2 of every pair, by one matrix product."""
    left, right = (np.concatenate([s.x for s in side], axis=1) for side in (rows, columns))
    starts = [np.cumsum([0, *(s.x.shape[1] for s in side[:-1])]) for side in (rows, columns)]
    squared = np.square(left.T @ right)
    crosses: NDArray[np.float64] = np.add.reduceat(np.add.reduceat(squared, starts[0], 0), starts[1], 1)
    return crosses


def _reordered(a: Prepared, order: NDArray[np.intp]) -> Prepared:
    return Prepared(a.x[order], a.squares[order], a.sums[order], a.own)


@MEASURES.register("cka")
class LinearCKA(Measure):
    """Whether two layers hold the same samples to be alike, estimated without bias."""

    label = "CKA"
    source = "Kornblith et al., 2019; unbiased HSIC of Song et al., 2012"
    low = -math.inf
    left = right = _SIMILAR
    ignores = (
        "It sees the directions in which samples differ most and ignores rotations, so two layers with different "
        "units can score 1, and small directions hardly count."
    )
    distrust = (
        "Distrust it when a few samples lie far from all others, or when small differences matter: "
        "a few large directions decide the value."
    )

    def least_samples(self, p: int, q: int) -> int:
        return 4

    def prepare(self, x: NDArray[np.float64]) -> Any:
        made = _prepare(x) if len(x) >= 4 else None
        if made is not None and made.own <= 0:
            raise Undefined("These samples are too few, or too alike in this layer, for an unbiased estimate.")
        return made

    def shuffled(self, prepared: Any, order: NDArray[np.intp]) -> Any:
        return _reordered(prepared, order)

    def compare(self, a: Any, b: Any) -> float:
        return _hsic(a, b) / math.sqrt(a.own * b.own)

    def matrix(self, rows: Sequence[Any], columns: Sequence[Any]) -> NDArray[np.float64]:
        crosses = _crosses(rows, columns)
        return np.array(
            [
                [_hsic(a, b, float(crosses[i, j])) / math.sqrt(a.own * b.own) for j, b in enumerate(columns)]
                for i, a in enumerate(rows)
            ]
        )


@MEASURES.register("cka_biased")
class BiasedLinearCKA(Measure):
    """CKA by the plain formula, which says alike too easily when samples are few."""

    label = "CKA, biased"
    source = "Kornblith et al., 2019"
    left = right = _SIMILAR
    ignores = "It ignores rotations and, almost, all but the largest directions, as the unbiased CKA does."
    distrust = (
        "Distrust it when there are not many more samples than units: then even unrelated layers look alike "
        "(20 units and 25 samples of noise give 0.49)."
    )

    def prepare(self, x: NDArray[np.float64]) -> Any:
        moved = centered(x)
        return moved, float(np.linalg.norm(moved.T @ moved))

    def shuffled(self, prepared: Any, order: NDArray[np.intp]) -> Any:
        return prepared[0][order], prepared[1]

    def compare(self, a: Any, b: Any) -> float:
        return float(np.square(a[0].T @ b[0]).sum()) / (a[1] * b[1])


class MiniBatchConfig(BaseModel):
    """Settings of the mini-batch estimate."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    batch_size: int = Field(64, ge=4, le=1000, description="Samples per batch.")


@MEASURES.register("cka_minibatch")
class MiniBatchCKA(Measure):
    """Unbiased CKA summed over mini-batches, as one does when activations do not fit into memory."""

    label = "CKA, mini-batches"
    source = "Nguyen, Raghu, Kornblith, 2021"
    Config = MiniBatchConfig
    low = -math.inf
    left = right = frozenset({"permutation", "scale", "orthogonal", "translation"})
    ignores = "It ignores what CKA ignores, and how samples of different batches relate to each other."
    distrust = "Distrust it when batches are small: the estimate is right on average and scatters widely."

    def least_samples(self, p: int, q: int) -> int:
        return 4

    def prepare(self, x: NDArray[np.float64]) -> Any:
        moved = centered(x)
        batches = self._batches(moved)
        own = sum(b.own for b in batches)
        if own <= 0:
            raise Undefined("These samples are too alike in this layer for an unbiased estimate.")
        return moved, batches, own

    def _batches(self, x: NDArray[np.float64]) -> list[Prepared]:
        size, found = self.config.batch_size, []
        for start in range(0, len(x), size):
            part = x[start : start + size]
            if len(part) < 4:
                continue
            part = part - part.mean(0)
            squares = np.einsum("ij,ij->i", part, part)
            made = Prepared(part, squares, part @ part.sum(0) - squares, 0.0)
            found.append(Prepared(part, squares, made.sums, _hsic(made, made)))
        return found

    def shuffled(self, prepared: Any, order: NDArray[np.intp]) -> Any:
        moved = prepared[0][order]
        batches = self._batches(moved)
        return moved, batches, sum(b.own for b in batches)

    def compare(self, a: Any, b: Any) -> float:
        if a[2] <= 0 or b[2] <= 0:
            raise Undefined("These samples are too alike in one of the layers for an unbiased estimate.")
        total = sum(_hsic(x, y) for x, y in zip(a[1], b[1], strict=True))
        return total / math.sqrt(a[2] * b[2])
