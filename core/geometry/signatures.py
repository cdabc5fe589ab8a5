"""Networks and benchmarks as points: everything that happened to every sample, as one vector.

The signature of a network on a benchmark is angle, norm and margin of all samples, each quantity divided by its
spread over all signatures. All of them are of the same samples, so they live in one space, and near means that
the same samples moved the same way.

Source: inspired by the model and benchmark view of Li et al., 'Understanding Robustness Lottery', TVCG 2024.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import InvalidInput
from core.geometry.embedding import fixed_signs

PARTS = ("angle", "norm", "margin")


@dataclass(frozen=True, eq=False)
class SignatureMap:
    """Signatures in the plane.

    Attributes:
        points: (k, 2) the first two principal components.
        explained: share of the variance that the two hold.
        edges: (k - 1, 2) minimum spanning tree of the distances between whole signatures, shortest first.
    """

    points: NDArray[np.float64]
    explained: float
    edges: NDArray[np.intp]


def signatures(each: Sequence[Mapping[str, ArrayLike]]) -> NDArray[np.float64]:
    """(k, 3 n) signatures of k networks on benchmarks.

    Args:
        each: "angle", "norm" and "margin" of the same n samples in the same order.

    Raises:
        InvalidInput: they differ in the number of samples.
    """
    parts = []
    for name in PARTS:
        rows = [np.asarray(one[name], np.float64) for one in each]
        if len({len(row) for row in rows}) > 1:
            raise InvalidInput("Signatures have to be of the same samples.")
        values = np.stack(rows) if rows else np.zeros((0, 0))
        spread = float(values.std()) if values.size else 0.0
        parts.append(values / spread if spread > 0 else values)
    return np.concatenate(parts, axis=1)


def signature_map(found: NDArray[np.float64]) -> SignatureMap:
    """Principal components of k signatures, and their minimum spanning tree.

    The plane shows part of the variance; the tree is of the whole distances and so shows where the plane lies.
    """
    from scipy.sparse.csgraph import minimum_spanning_tree
    from scipy.spatial.distance import pdist, squareform

    k = len(found)
    if k == 0:
        return SignatureMap(np.zeros((0, 2)), 0.0, np.zeros((0, 2), np.intp))
    centered = found - found.mean(0)
    u, singular, _ = np.linalg.svd(centered, full_matrices=False)
    points = np.zeros((k, 2))
    width = min(2, len(singular))
    points[:, :width] = u[:, :width] * singular[:width]
    total = float(np.square(singular).sum())
    explained = float(np.square(singular[:2]).sum() / total) if total > 0 else 0.0
    # A distance of zero would be no edge to a sparse graph.
    lengths = squareform(pdist(found)) + 1e-12
    np.fill_diagonal(lengths, 0)
    tree = minimum_spanning_tree(lengths).tocoo()
    order = np.argsort(tree.data, kind="stable")
    edges = np.stack([tree.row[order], tree.col[order]], 1).astype(np.intp)
    return SignatureMap(fixed_signs(points), explained, edges)


def shared_edges(edges: NDArray[np.intp], labels: Sequence[str]) -> float:
    """Share of the tree's edges that join two points of one label; NaN without edges."""
    if not len(edges):
        return float("nan")
    return float(np.mean([labels[a] == labels[b] for a, b in edges]))
