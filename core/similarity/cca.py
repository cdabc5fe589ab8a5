"""CCA: how well can some mixture of one layer's units be predicted by some mixture of the other's?

Each layer is reduced to an orthonormal basis of what it can express (a singular value decomposition,
once per layer). The canonical correlations of a pair are the singular values of the product of the two
bases, which is no larger than the layers are wide.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.config import BaseConfig
from core.similarity.base import INVARIANCES, MEASURES, Measure, Undefined
from core.similarity.centering import cross_products, unit_norm
from core.similarity.moments import Moments, nuclear_norm

# Directions of less than this part of the largest spread are float32 rounding, and whitening would
# blow them up to full size. (The reference code drops at 1e-10, having float64 activations.)
NOTHING = 1e-6


def basis(x: NDArray[np.float64], variance: float = 1.0) -> NDArray[np.float64]:
    """Orthonormal basis of centered activations, from the directions of largest variance on.

    Args:
        x: (n, p), centered.
        variance: how much of the variance the kept directions must hold, 0 to 1.

    Returns:
        (n, r) orthonormal columns.
    """
    n, p = x.shape
    if p <= n:
        u, s, _ = np.linalg.svd(x, full_matrices=False)
        variances = s**2
    else:  # samples are fewer, so their inner products are the smaller problem
        rising, vectors = np.linalg.eigh(x @ x.T)
        variances, u = np.maximum(rising[::-1], 0), vectors[:, ::-1]
    return np.ascontiguousarray(u[:, : directions(variances, variance)])


def directions(variances: NDArray[np.float64], variance: float) -> int:
    """How many of the leading directions hold a share of the variance; `variances` falls."""
    something = int(np.sum(variances > NOTHING**2 * variances[0]))
    if variance >= 1:
        return something
    share = np.cumsum(variances) / variances.sum()
    return min(int(np.sum(share < variance)) + 1, something)


def _mean_correlation(product: NDArray[np.float64]) -> float:
    return min(nuclear_norm(product) / min(product.shape), 1.0)


def _need(label: str, n: int, p: int, q: int) -> None:
    """In n - 1 dimensions, p and q directions beyond n - 1 in all must share some, whatever they are."""
    if n < p + q + 1:
        raise Undefined(
            f"{label} of {p} and {q} directions needs at least {p + q + 1:,} samples; there are {n:,}."
        )


def _need_rows(label: str, n: int, p: int) -> None:
    """Refuse a layer that no other layer could be compared with, before the dear part."""
    if n < p + 2:
        raise Undefined(
            f"{label} of a layer of {p:,} units needs at least {p + 2:,} samples; there are {n:,}."
        )


@MEASURES.register("cca_mean")
class MeanCCA(Measure):
    """Mean of the canonical correlations."""

    label = "CCA (mean correlation)"
    most_units = 768
    source = "Hotelling, Biometrika 1936; as compared by Raghu et al., NeurIPS 2017"
    left = right = frozenset(INVARIANCES)
    ignores = (
        "Every invertible linear map: a direction that hardly varies counts as much as the one that "
        "carries the layer."
    )
    distrust = (
        "It finds correlations in noise when samples are fewer than about ten times the units; "
        "look at the value for shuffled samples first."
    )

    def least_samples(self, p: int, q: int) -> int:
        return p + q + 1

    def prepare(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        _need_rows(self.label, len(x), x.shape[1])
        return basis(unit_norm(x))

    def shuffled(self, prepared: NDArray[np.float64], order: NDArray[np.intp]) -> NDArray[np.float64]:
        return prepared[order]

    def compare(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
        _need(self.label, len(a), a.shape[1], b.shape[1])
        return _mean_correlation(a.T @ b)

    def matrix(
        self, rows: Sequence[NDArray[np.float64]], columns: Sequence[NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        return _mean_correlations(rows, columns)

    def from_moments(self, moments: Moments) -> float:
        return _streamed_mean(self.label, moments, 1.0)


class VarianceSettings(BaseConfig):
    """How much of each layer is kept."""

    variance: float = Field(0.99, gt=0, le=1, title="Share of the variance kept")


@MEASURES.register("svcca")
class SVCCA(Measure):
    """Mean canonical correlation of the directions that hold 99 % of each layer's variance."""

    label = "SVCCA"
    most_units = 768
    source = "Raghu et al., 'SVCCA: singular vector canonical correlation analysis', NeurIPS 2017"
    Config = VarianceSettings
    left = right = frozenset({"permutation", "scale", "translation", "orthogonal"})
    ignores = (
        "Whatever the layer does outside its directions of largest variance, and how large the kept "
        "directions are."
    )
    distrust = (
        "The value jumps when one more direction falls inside the kept share; compare layers of similar "
        "width, and only with several samples per kept direction."
    )

    def least_samples(self, p: int, q: int) -> int:
        return 4

    def prepare(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return basis(unit_norm(x), self.config.variance)

    def shuffled(self, prepared: NDArray[np.float64], order: NDArray[np.intp]) -> NDArray[np.float64]:
        return prepared[order]

    def compare(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
        _need(self.label, len(a), a.shape[1], b.shape[1])
        return _mean_correlation(a.T @ b)

    def matrix(
        self, rows: Sequence[NDArray[np.float64]], columns: Sequence[NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        return _mean_correlations(rows, columns)

    def from_moments(self, moments: Moments) -> float:
        return _streamed_mean(self.label, moments, self.config.variance)


def _mean_correlations(
    rows: Sequence[NDArray[np.float64]], columns: Sequence[NDArray[np.float64]]
) -> NDArray[np.float64]:
    values = np.full((len(rows), len(columns)), math.nan)
    for i, j, product in cross_products(rows, columns):
        if len(rows[i]) > sum(product.shape):
            values[i, j] = _mean_correlation(product)
    return values


@dataclass(frozen=True, eq=False)
class WeightedBasis:
    """Attributes: u, (n, r) orthonormal basis; units, (r, p) the layer's units in that basis."""

    u: NDArray[np.float64]
    units: NDArray[np.float64]


@MEASURES.register("pwcca")
class PWCCA(Measure):
    """Canonical correlations weighted by how much of the first layer's units lies along each."""

    label = "PWCCA (projection-weighted CCA)"
    most_units = 768
    source = "Morcos, Raghu, Bengio, 'Insights on representational similarity', NeurIPS 2018"
    symmetric = False
    left = frozenset({"permutation", "scale", "translation"})
    right = frozenset(INVARIANCES)
    ignores = (
        "Every invertible linear map of the second layer, but not of the first: its own units weigh the "
        "correlations, so exchanging the layers changes the value."
    )
    distrust = (
        "Contrary to what is often said it changes when the first layer is only rotated; and like all CCA "
        "it needs about ten samples per unit."
    )

    def least_samples(self, p: int, q: int) -> int:
        return p + q + 1

    def prepare(self, x: NDArray[np.float64]) -> WeightedBasis:
        _need_rows(self.label, len(x), x.shape[1])
        moved = unit_norm(x)
        u = basis(moved)
        return WeightedBasis(u, u.T @ moved)

    def shuffled(self, prepared: WeightedBasis, order: NDArray[np.intp]) -> WeightedBasis:
        return WeightedBasis(prepared.u[order], prepared.units)

    def compare(self, a: WeightedBasis, b: WeightedBasis) -> float:
        _need(self.label, len(a.u), a.u.shape[1], b.u.shape[1])
        return _weighted_correlation(a.u.T @ b.u, a.units)

    def matrix(self, rows: Sequence[WeightedBasis], columns: Sequence[WeightedBasis]) -> NDArray[np.float64]:
        values = np.full((len(rows), len(columns)), math.nan)
        for i, j, product in cross_products([a.u for a in rows], [b.u for b in columns]):
            if len(rows[i].u) > sum(product.shape):
                values[i, j] = _weighted_correlation(product, rows[i].units)
        return values

    def from_moments(self, moments: Moments) -> float:
        xx, _, _ = moments.varying()
        white_x, white_y, product = _whitened(moments, 1.0)
        _need(self.label, moments.n, white_x.shape[1], white_y.shape[1])
        return _weighted_correlation(product, white_x.T @ xx)


def _weighted_correlation(product: NDArray[np.float64], units: NDArray[np.float64]) -> float:
    """sum_i a_i rho_i / sum_i a_i with a_i = sum_j |<h_i, x_j>|, section 2 of Morcos et al.

    h_i = U w_i are the canonical directions of the first layer, so <h_i, x_j> = w_i^T (U^T X)_j.
    """
    w, correlations, _ = np.linalg.svd(product, full_matrices=False)
    weights = np.abs(w.T @ units).sum(axis=1)
    return min(float(weights @ correlations / weights.sum()), 1.0)


def _whitened(
    moments: Moments, variance: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Maps (p, r) and (q, s) that whiten each layer, and the (r, s) correlations of the whitened."""
    xx, yy, xy = moments.varying()
    maps = []
    for covariance in (xx, yy):
        values, vectors = np.linalg.eigh(covariance)
        values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
        kept = directions(values, variance)
        maps.append(vectors[:, :kept] / np.sqrt(values[:kept]))
    return maps[0], maps[1], maps[0].T @ xy @ maps[1]


def _streamed_mean(label: str, moments: Moments, variance: float) -> float:
    _, _, product = _whitened(moments, variance)
    _need(label, moments.n, *product.shape)
    return _mean_correlation(product)
