"""Linear CKA: do two layers agree about which samples are alike, by inner products?

A layer of few units never becomes the (n, n) Gram matrix K = X X^T of the definition: <K, L> is
|X^T Y|_F^2, and the unbiased estimator needs only the diagonals besides, because the rows of a centered
layer's Gram matrix sum to zero. A pair costs n p q multiplications instead of n^2 (p + q), and a whole
heatmap is a few matrix products. A layer of many units (flattened maps) is kept as its Gram matrix, made
once, and pairs of either kind are mixed freely.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.config import BaseConfig
from core.similarity.base import MEASURES, Measure, Undefined
from core.similarity.centering import squared_norms, unit_norm
from core.similarity.moments import Moments
from core.similarity.pairs import MOST_SAMPLES, SamplePairs, few_enough, flat_products, inner_products

# Up to this many units, n p q multiplications per pair are faster than reading n^2 numbers.
NARROW = 128

TURNS = frozenset({"permutation", "scale", "translation", "orthogonal"})


@dataclass(frozen=True, eq=False)
class CenteredLayer:
    """One layer, centered and of norm one.

    Attributes:
        x: (n, p); None where the layer has so many units that its Gram matrix is cheaper.
        gram: its (n, n) inner products of samples; None where x is kept.
        diagonal: (n,) squared length of each sample.
        itself: <K, K>.
    """

    x: NDArray[np.float64] | None
    gram: SamplePairs | None
    diagonal: NDArray[np.float64]
    itself: float


def centered_layer(x: NDArray[np.float64]) -> CenteredLayer:
    """Prepare (n, p) activations for inner products of Gram matrices.

    Raises:
        Undefined: no unit varies, or the layer has both too many units and too many samples.
    """
    moved = unit_norm(x)
    n, p = moved.shape
    diagonal = np.einsum("ij,ij->i", moved, moved)
    if p <= NARROW or (p <= n and n > MOST_SAMPLES):
        return CenteredLayer(moved, None, diagonal, float(squared_norms([moved], [moved])[0, 0]))
    few_enough(n)
    gram = SamplePairs(moved @ moved.T)
    return CenteredLayer(None, gram, diagonal, float(inner_products([gram], [gram])[0, 0]))


def reordered(layer: CenteredLayer, order: NDArray[np.intp]) -> CenteredLayer:
    """The layer with its samples in another order."""
    return CenteredLayer(
        None if layer.x is None else layer.x[order],
        None if layer.gram is None else layer.gram.reordered(order),
        layer.diagonal[order],
        layer.itself,
    )


def gram_products(rows: Sequence[CenteredLayer], columns: Sequence[CenteredLayer]) -> NDArray[np.float64]:
    """(rows, columns) of <K, L>, by the cheapest of three equal formulas for each kind of pair."""
    values = np.zeros((len(rows), len(columns)))
    narrow_a, wide_a = _kinds(rows)
    narrow_b, wide_b = _kinds(columns)
    xs = [x for layer in rows if (x := layer.x) is not None]
    ys = [y for layer in columns if (y := layer.x) is not None]
    ks = [k for layer in rows if (k := layer.gram) is not None]
    ls = [m for layer in columns if (m := layer.gram) is not None]
    values[np.ix_(narrow_a, narrow_b)] = squared_norms(xs, ys)
    values[np.ix_(wide_a, wide_b)] = inner_products(ks, ls)
    values[np.ix_(wide_a, narrow_b)] = _mixed(ks, ys)
    values[np.ix_(narrow_a, wide_b)] = _mixed(ls, xs).T
    return values


def _kinds(layers: Sequence[CenteredLayer]) -> tuple[list[int], list[int]]:
    """Places of the layers that keep activations, and of those that keep a Gram matrix."""
    narrow = [i for i, layer in enumerate(layers) if layer.x is not None]
    return narrow, [i for i, layer in enumerate(layers) if layer.x is None]


def _mixed(grams: Sequence[SamplePairs], ys: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """<K, Y Y^T> = tr(Y^T K Y)."""
    values = np.zeros((len(grams), len(ys)))
    if not grams or not ys:
        return values
    side_by_side = np.concatenate(ys, axis=1)
    starts = np.cumsum([0, *(y.shape[1] for y in ys[:-1])])
    for i, gram in enumerate(grams):
        lengths = np.einsum("ij,ij->j", gram.whole() @ side_by_side, side_by_side)
        values[i] = np.add.reduceat(lengths, starts)
    return values


def hsic_unbiased(
    products: NDArray[np.float64],
    rows: Sequence[NDArray[np.float64]],
    columns: Sequence[NDArray[np.float64]],
) -> NDArray[np.float64]:
    """HSIC_1 (eq. 5 of Song et al. 2012) of centered layers.

    With K 1 = 0, the matrix without its diagonal has row sums -k, k = diag(K), and
    tr(K~ L~) = <K, L> - k.l, 1'K~1 1'L~1 = sum(k) sum(l), 1'K~ L~1 = k.l.

    Args:
        products: (rows, columns) of <K, L>.
        rows, columns: the (n,) diagonals.
    """
    k, m = np.array(rows), np.array(columns)
    n = k.shape[1]
    dots = k @ m.T
    sums = np.outer(k.sum(axis=1), m.sum(axis=1))
    total: NDArray[np.float64] = products - dots + sums / ((n - 1) * (n - 2)) - 2 / (n - 2) * dots
    return total / (n * (n - 3))


@MEASURES.register("cka")
class UnbiasedCKA(Measure):
    """Linear CKA with the unbiased estimator, which does not grow where samples are few."""

    label = "CKA (linear, unbiased)"
    source = (
        "Kornblith et al., ICML 2019, with the estimator of Song et al., JMLR 2012 (Nguyen et al., ICLR 2021)"
    )
    low = -1.0
    left = right = TURNS
    ignores = (
        "Rotations of a layer, its overall size and shifts: it sees only which samples lie near each other, "
        "and mostly along the few directions in which the layer varies most."
    )
    distrust = (
        "Be careful when one direction or a few extreme samples hold most of the variance: they decide "
        "the value alone, and layers that differ everywhere else still look the same."
    )

    def least_samples(self, p: int, q: int) -> int:
        return 4

    def prepare(self, x: NDArray[np.float64]) -> tuple[CenteredLayer, float]:
        if len(x) < 4:
            raise Undefined(f"{self.label} needs at least 4 samples; there are {len(x)}.")
        layer = centered_layer(x)
        d = [layer.diagonal]
        itself = float(hsic_unbiased(np.array([[layer.itself]]), d, d)[0, 0])
        if itself <= 1e-14 * layer.itself:
            raise Undefined(
                "The samples of this layer differ too little beyond chance for an unbiased value."
            )
        return layer, itself

    def shuffled(
        self, prepared: tuple[CenteredLayer, float], order: NDArray[np.intp]
    ) -> tuple[CenteredLayer, float]:
        return reordered(prepared[0], order), prepared[1]

    def compare(self, a: tuple[CenteredLayer, float], b: tuple[CenteredLayer, float]) -> float:
        return float(self.matrix([a], [b])[0, 0])

    def matrix(
        self, rows: Sequence[tuple[CenteredLayer, float]], columns: Sequence[tuple[CenteredLayer, float]]
    ) -> NDArray[np.float64]:
        if not rows or not columns:
            return np.zeros((len(rows), len(columns)))
        a, b = [layer for layer, _ in rows], [layer for layer, _ in columns]
        hsic = hsic_unbiased(gram_products(a, b), [x.diagonal for x in a], [y.diagonal for y in b])
        return hsic / np.sqrt(np.outer([own for _, own in rows], [own for _, own in columns]))


@MEASURES.register("cka_biased")
class BiasedCKA(Measure):
    """Linear CKA as first published; larger than it should be where units are many and samples few."""

    label = "CKA (linear, biased)"
    source = "Kornblith et al., 'Similarity of neural network representations revisited', ICML 2019"
    left = right = TURNS
    ignores = UnbiasedCKA.ignores
    distrust = (
        "Do not trust it with few samples: two layers of 20 independent units reach 0.49 with 25 samples; "
        "compare it with the value for shuffled samples, or use the unbiased one."
    )

    def least_samples(self, p: int, q: int) -> int:
        return 3

    def prepare(self, x: NDArray[np.float64]) -> CenteredLayer:
        return centered_layer(x)

    def shuffled(self, prepared: CenteredLayer, order: NDArray[np.intp]) -> CenteredLayer:
        return reordered(prepared, order)

    def compare(self, a: CenteredLayer, b: CenteredLayer) -> float:
        return float(self.matrix([a], [b])[0, 0])

    def matrix(self, rows: Sequence[CenteredLayer], columns: Sequence[CenteredLayer]) -> NDArray[np.float64]:
        scale = np.sqrt(np.outer([a.itself for a in rows], [b.itself for b in columns]))
        return np.clip(gram_products(rows, columns) / scale, 0, 1)

    def from_moments(self, moments: Moments) -> float:
        xx, yy, xy = moments.varying(least=3)
        return float(np.sum(xy**2) / np.sqrt(np.sum(xx**2) * np.sum(yy**2)))


class BatchSettings(BaseConfig):
    """How many samples are looked at together."""

    batch_size: int = Field(256, ge=4, le=2_000, title="Samples per batch")


@dataclass(frozen=True, eq=False)
class Batches:
    """One layer cut into batches.

    Attributes:
        x: (n, p), centered; kept because other batches arise when samples change places.
        grams: the U-centered Gram matrices of all batches, one after the other, flat.
        itself: their sum of squares.
    """

    x: NDArray[np.float64]
    grams: NDArray[np.float64]
    itself: float


@MEASURES.register("cka_minibatch")
class MinibatchCKA(Measure):
    """Unbiased CKA from mini-batches: the three HSIC are summed over batches and divided once."""

    label = "CKA (linear, mini-batches)"
    source = "Nguyen, Raghu, Kornblith, 'Do wide and deep networks learn the same things?', ICLR 2021"
    Config = BatchSettings
    low = -1.0
    left = right = TURNS
    ignores = UnbiasedCKA.ignores
    distrust = (
        "It changes a little with the order of samples and with the batch size, because samples of "
        "different batches are never compared; use it to check large probes, not to split hairs."
    )

    def least_samples(self, p: int, q: int) -> int:
        return 4

    def prepare(self, x: NDArray[np.float64]) -> Batches:
        if len(x) < 4:
            raise Undefined(f"{self.label} needs at least 4 samples; there are {len(x)}.")
        return self._batches(unit_norm(x))

    def shuffled(self, prepared: Batches, order: NDArray[np.intp]) -> Batches:
        return self._batches(prepared.x[order])

    def compare(self, a: Batches, b: Batches) -> float:
        # By Cauchy-Schwarz it is within 1 of 0; rounding may step over.
        return float(np.clip(a.grams @ b.grams / np.sqrt(a.itself * b.itself), -1, 1))

    def matrix(self, rows: Sequence[Batches], columns: Sequence[Batches]) -> NDArray[np.float64]:
        values = flat_products([a.grams for a in rows], [b.grams for b in columns])
        return np.clip(
            values / np.sqrt(np.outer([a.itself for a in rows], [b.itself for b in columns])), -1, 1
        )

    def _batches(self, x: NDArray[np.float64]) -> Batches:
        size = self.config.batch_size
        batches = [x[start : start + size] for start in range(0, len(x), size)]
        # Fewer than four samples have no unbiased HSIC; the rest of the last batch is left out then.
        grams = np.concatenate([u_centered(batch).ravel() for batch in batches if len(batch) >= 4])
        itself = float(grams @ grams)
        if itself <= 0:
            raise Undefined("Within every batch the samples of this layer are alike; use larger batches.")
        return Batches(x, grams, itself)


def u_centered(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The (b, b) U-centered Gram matrix of x, (b, p), scaled so that HSIC_1(K, L) is a sum of products.

    Székely and Rizzo, 'Partial distance correlation', Annals of Statistics 2014, section 2.1.
    """
    b = len(x)
    moved = x - x.mean(axis=0)
    gram = moved @ moved.T
    np.fill_diagonal(gram, 0)
    sums = gram.sum(axis=0)
    gram -= sums / (b - 2)
    gram -= sums[:, None] / (b - 2)
    gram += sums.sum() / ((b - 1) * (b - 2))
    np.fill_diagonal(gram, 0)
    gram /= np.sqrt(b * (b - 3))
    return gram
