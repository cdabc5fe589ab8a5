"""Maps: networks or samples as points in the plane.

Classical scaling is exact, has no chance in it and takes milliseconds, so it is shown at once; it says how
much of the distances two dimensions can hold. UMAP keeps neighborhoods instead of distances, takes
seconds and depends on its seed, so it is a job.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import InvalidInput
from core.quiet import quiet
from core.seeding import torch_seed
from core.similarity.base import Undefined
from core.similarity.centering import reduced, unit_norm

_ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class Embedding:
    """Points in the plane.

    Attributes:
        points: (n, 2); centered, the first axis holds the most spread, signs fixed.
        explained: share of the squared distances that the two dimensions hold (0-1); NaN where the method
            does not say.
        stress: Kruskal's stress-1 between the distances and those drawn; 0 is perfect.
    """

    points: NDArray[np.float64]
    explained: float
    stress: float


def classical_mds(distances: ArrayLike) -> Embedding:
    """Points whose mutual distances come closest to the given ones, in the sense of inner products.

    Args:
        distances: (n, n) symmetric, zero diagonal, n at least 2.

    Raises:
        InvalidInput: the matrix is not square, symmetric, finite, or has fewer than two rows.

    Source:
        Torgerson, "Multidimensional scaling", 1952; Kruskal, 1964 (stress-1).
    """
    d = _distances(distances)
    squared = np.square(d)
    inner = -0.5 * (squared - squared.mean(0) - squared.mean(1)[:, None] + squared.mean())
    values, vectors = np.linalg.eigh((inner + inner.T) / 2)
    order = np.argsort(-values)[:2]
    points = vectors[:, order] * np.sqrt(np.maximum(values[order], 0.0))
    # Negative eigenvalues are what no flat space can hold; they count as not explained.
    total = float(np.abs(values).sum())
    explained = float(np.maximum(values[order], 0.0).sum() / total) if total > _ROUNDING else 1.0
    points = fixed_signs(_padded(points, len(d)))
    return Embedding(points, explained, stress(d, points))


def stress(distances: NDArray[np.float64], points: NDArray[np.float64]) -> float:
    """Kruskal's stress-1: root of the squared errors of the drawn distances over the squared distances."""
    drawn = np.linalg.norm(points[:, None] - points[None], axis=2)
    total = float(np.square(distances).sum())
    return float(np.sqrt(np.square(distances - drawn).sum() / total)) if total > _ROUNDING else 0.0


def fixed_signs(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each axis turned so that its farthest point lies on the positive side: a map must not flip between runs."""
    farthest = np.abs(points).argmax(0)
    signs = np.sign(points[farthest, np.arange(points.shape[1])])
    return np.asarray(points * np.where(signs == 0, 1.0, signs))


def _padded(points: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    return points if points.shape[1] == 2 else np.hstack([points, np.zeros((n, 2 - points.shape[1]))])


def _distances(distances: ArrayLike) -> NDArray[np.float64]:
    d = np.array(distances, dtype=np.float64)
    if d.ndim != 2 or d.shape[0] != d.shape[1] or len(d) < 2:
        raise InvalidInput("A map needs the mutual distances of at least two points.")
    if not np.isfinite(d).all() or not np.allclose(d, d.T, atol=1e-8):
        raise InvalidInput("These distances are not symmetric, or some of them do not exist.")
    np.fill_diagonal(d, 0.0)
    return np.asarray((d + d.T) / 2)


def umap_of_distances(
    distances: ArrayLike, *, neighbors: int = 10, epochs: int = 300, seed: int = 0
) -> Embedding:
    """A UMAP of points known by their mutual distances. Imports umap, which takes seconds.

    Args:
        distances: (n, n) symmetric, n at least 4.
        neighbors: size of the neighborhoods it tries to keep; bounded by n - 1.
        epochs: optimization steps.
        seed: the same seed gives the same map on the same machine.

    Raises:
        InvalidInput: as `classical_mds`, or fewer than four points.

    Source:
        McInnes, Healy, Melville, "UMAP", 2018 (umap-learn).
    """
    d = _distances(distances)
    if len(d) < 4:
        raise InvalidInput("A UMAP needs at least four points; the map by distances shows fewer.")
    # umap warns that a seed costs parallelism, and that precomputed distances cannot be inverted.
    with quiet(), _torchs_threads_kept():
        import umap

        reducer = umap.UMAP(
            n_components=2,
            n_neighbors=min(neighbors, len(d) - 1),
            metric="precomputed",
            n_epochs=epochs,
            random_state=torch_seed(seed, "umap") % 2**31,
            init="random" if len(d) < 8 else "spectral",
            n_jobs=1,
        )
        points = np.asarray(reducer.fit_transform(d), dtype=np.float64)
    points = fixed_signs(points - points.mean(0))
    return Embedding(points, float("nan"), float("nan"))


@contextmanager
def _torchs_threads_kept() -> Iterator[None]:
    """umap's compiled loops share torch's pool and set its size for both: what torch computes afterwards would be
    slower, and other in the last bit.
    """
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else 0
    try:
        yield
    finally:
        if torch:
            torch.set_num_threads(before)


@dataclass(frozen=True, eq=False)
class SampleMaps:
    """The same samples as two networks see them, in one frame.

    Attributes:
        a, b: (n, 2) coordinates; both scaled to unit root-mean-square norm before projection.
        disparity: what is left between both representations after the best rotation and scaling, 0 (the same
            shape) to 1 (nothing in common); measured in all dimensions, not in the two that are drawn.
        explained_a, explained_b: share of each one's variance that the two drawn dimensions hold.
        overlap: (n,) share of a sample's k nearest neighbors in A that are so in B too.
        neighbors: k.
    """

    a: NDArray[np.float64]
    b: NDArray[np.float64]
    disparity: float
    explained_a: float
    explained_b: float
    overlap: NDArray[np.float64]
    neighbors: int


@dataclass(frozen=True, eq=False)
class Projection:
    """The plane of a reference's first two principal components, for any network on the same samples.

    Attributes:
        reference: (n, w) the reference, centered, of norm one, in at most n dimensions.
        axes: (2, w) its first two principal directions, signs fixed by its farthest samples.
    """

    reference: NDArray[np.float64]
    axes: NDArray[np.float64]

    @classmethod
    def fit(cls, reference: ArrayLike) -> Projection:
        """The projection that the activations (n, p) of one layer define.

        Raises:
            InvalidInput: fewer than 3 samples, or no unit varies.
        """
        x = _unit_shape(np.asarray(reference, dtype=np.float64))
        directions = np.linalg.svd(x, full_matrices=False)[2][:2]
        axes = np.vstack([directions, np.zeros((2 - len(directions), x.shape[1]))])
        drawn = x @ axes.T
        signs = np.sign(drawn[np.abs(drawn).argmax(0), [0, 1]])
        return cls(x, axes * np.where(signs == 0, 1.0, signs)[:, None])

    def points(self) -> NDArray[np.float64]:
        """(n, 2) the reference's own samples; in all dimensions their root-mean-square distance to the center is one."""
        return np.asarray(self.reference @ self.axes.T * np.sqrt(len(self.reference)))

    def transform(self, other: ArrayLike) -> tuple[NDArray[np.float64], float]:
        """Another layer turned onto the reference, then projected with it.

        Args:
            other: (n, q) activations for the same samples; the narrower of both is padded with zeros.

        Returns:
            (n, 2) points, and the disparity: what the best rotation and scale leave between both, 0 to 1.

        Raises:
            InvalidInput: other samples, or no unit varies.

        Source:
            Schönemann, 1966 (orthogonal Procrustes, reflections allowed); Gower, 1975 (the disparity).
        """
        moving = _unit_shape(np.asarray(other, dtype=np.float64))
        if len(moving) != len(self.reference):
            raise InvalidInput("Two maps need the same samples, at least three of them.")
        width = max(moving.shape[1], self.reference.shape[1])
        fixed, moving = (np.pad(z, ((0, 0), (0, width - z.shape[1]))) for z in (self.reference, moving))
        left, singular, right = np.linalg.svd(moving.T @ fixed)
        axes = np.pad(self.axes, ((0, 0), (0, width - self.axes.shape[1])))
        points = moving @ (left @ (right @ axes.T)) * np.sqrt(len(moving))
        return np.asarray(points), float(np.clip(1.0 - singular.sum() ** 2, 0.0, 1.0))


def sample_maps(x: ArrayLike, y: ArrayLike, *, neighbors: int = 10) -> SampleMaps:
    """A's first two principal components, and B turned onto A by a rotation before the same projection.

    Args:
        x: (n, p) activations of A.
        y: (n, q) activations of B, the same samples.
        neighbors: k for the neighborhood overlap; bounded by n - 1.

    Raises:
        InvalidInput: different samples, fewer than 3, or a layer that does not vary.
    """
    projection = Projection.fit(x)
    a, (b, disparity) = projection.points(), projection.transform(y)
    n = len(a)
    k = min(neighbors, n - 1)
    overlap = neighborhood_overlap(projection.reference, _unit_shape(np.asarray(y, dtype=np.float64)), k)
    share_a, share_b = (float(np.square(z).sum() / n) for z in (a, b))
    return SampleMaps(a, b, disparity, share_a, share_b, overlap, k)


def neighborhood_overlap(x: NDArray[np.float64], y: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """(n,) share of each sample's k nearest neighbors (Euclidean, itself excluded) that x and y have in common."""
    nearest = []
    for z in (x, y):
        squares = np.square(z).sum(1)
        d = squares[:, None] + squares - 2 * z @ z.T
        np.fill_diagonal(d, np.inf)
        chosen = np.zeros(d.shape, dtype=bool)
        np.put_along_axis(chosen, np.argpartition(d, k - 1, axis=1)[:, :k], True, axis=1)
        nearest.append(chosen)
    return np.asarray((nearest[0] & nearest[1]).sum(1) / k)


def _unit_shape(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centered, of norm one; wider than samples, turned into as many dimensions as there are samples."""
    if x.ndim != 2 or len(x) < 3:
        raise InvalidInput("Two maps need the same samples, at least three of them.")
    try:
        return reduced(unit_norm(x))
    except Undefined as error:
        raise InvalidInput(str(error)) from error
