"""Two layers seen batch by batch: means and covariances are enough for most measures.

`Moments` keeps what an endless stream of samples says about means, covariances and cross-covariances;
its memory depends on the numbers of units alone. Batches may come in any sizes, and two halves of a
stream may be read apart and merged. Every measure that is a function of these moments has
`from_moments`, which agrees with `compare` on the same samples to rounding.
"""

from __future__ import annotations

import math
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import InvalidInput
from core.similarity.base import Undefined
from core.similarity.centering import CONSTANT

Covariances = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


@runtime_checkable
class FromMoments(Protocol):
    """A measure that needs no sample twice."""

    def from_moments(self, moments: Moments) -> float:
        """The value for the two layers of a stream.

        Raises:
            Undefined: these layers have no value.
        """


class Moments:
    """First and second moments of two layers over the same samples.

    Args:
        p: units of the first layer.
        q: units of the second layer.

    Attributes:
        n: samples so far.
        mean: (p + q,) means, first layer first.
        scatter: (p + q, p + q) sums of products of deviations from the mean.

    Source:
        Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing sample
        variances", 1979, eq. 2.1 for matrices.
    """

    def __init__(self, p: int, q: int) -> None:
        self.p, self.q, self.n = p, q, 0
        self.mean = np.zeros(p + q)
        self.scatter = np.zeros((p + q, p + q))

    @property
    def cov(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(p, p) and (q, q) covariances, divided by n."""
        p, n = self.p, max(self.n, 1)
        return self.scatter[:p, :p] / n, self.scatter[p:, p:] / n

    @property
    def xcov(self) -> NDArray[np.float64]:
        """(p, q) covariances of units of the first with units of the second layer, divided by n."""
        return self.scatter[: self.p, self.p :] / max(self.n, 1)

    def update(self, x: ArrayLike, y: ArrayLike) -> None:
        """Take in a batch; x is (b, p), y is (b, q), the same samples.

        Raises:
            InvalidInput: the shapes do not fit, or a number is not finite.
        """
        a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
        if a.ndim != 2 or b.ndim != 2 or len(a) != len(b) or (a.shape[1], b.shape[1]) != (self.p, self.q):
            raise InvalidInput(
                f"A batch must be samples by {self.p} and samples by {self.q} units; got {a.shape} and {b.shape}."
            )
        if not len(a):
            return
        both = np.concatenate([a, b], axis=1)
        if not np.isfinite(both).all():
            raise InvalidInput(
                "These activations contain numbers that are not finite; the network is broken."
            )
        mean = both.mean(axis=0)
        both -= mean
        self._add(len(both), mean, both.T @ both)

    def merge(self, other: Moments) -> None:
        """Take in what another stream of the same layers has seen.

        Raises:
            InvalidInput: the layers have other widths.
        """
        if (other.p, other.q) != (self.p, self.q):
            raise InvalidInput("These moments are of layers with other numbers of units.")
        self._add(other.n, other.mean, other.scatter)

    def _add(self, n: int, mean: NDArray[np.float64], scatter: NDArray[np.float64]) -> None:
        if not n:
            return
        total = self.n + n
        step = mean - self.mean
        self.scatter += scatter + np.outer(step, step) * (self.n * n / total)
        self.mean += step * (n / total)
        self.n = total

    def varying(self, least: int = 2) -> Covariances:
        """(xx, yy, xy) covariances of the units that are not constant.

        Raises:
            Undefined: no unit of a layer varies, or there are fewer than `least` samples.
        """
        if self.n < least:
            raise Undefined(f"This needs at least {least:,} samples; there are {self.n:,}.")
        spread = np.sqrt(np.diag(self.scatter) / self.n)
        alive = spread > CONSTANT * np.abs(self.mean)
        first, second = np.nonzero(alive[: self.p])[0], self.p + np.nonzero(alive[self.p :])[0]
        if not len(first) or not len(second):
            raise Undefined(
                "All units of one layer are constant on these samples, so there is nothing to compare."
            )
        xx = self.scatter[np.ix_(first, first)] / self.n
        yy = self.scatter[np.ix_(second, second)] / self.n
        return xx, yy, self.scatter[np.ix_(first, second)] / self.n


def nuclear_norm(matrix: NDArray[np.float64]) -> float:
    """Sum of the singular values of a matrix."""
    return math.fsum(np.linalg.svd(matrix, compute_uv=False))
