"""Many to many: groups of units of both nets that together span the same thing.

Spectral clustering of the joint |correlation| matrix of both layers' units, after Li et al., ICLR 2016,
section 3.3; the normalized Laplacian is that of Ng, Jordan and Weiss, 2001.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import InvalidInput
from core.seeding import torch_seed
from core.similarity.base import Undefined, as_activations
from core.similarity.matching import standardized, unit_correlations

MOST_GROUPS = 12


@dataclass(frozen=True, eq=False)
class Groups:
    """A division of the live units of both layers.

    Attributes:
        labels_a, labels_b: group of each live unit.
        units_a, units_b: unit numbers of the live units.
        eigenvalues: smallest eigenvalues of the normalized Laplacian, rising; a gap after the k-th
            speaks for k groups.
        within, between: mean |correlation| across nets inside groups and between different groups.
    """

    labels_a: NDArray[np.int64]
    labels_b: NDArray[np.int64]
    units_a: NDArray[np.intp]
    units_b: NDArray[np.intp]
    eigenvalues: NDArray[np.float64]
    within: float
    between: float

    @property
    def count(self) -> int:
        """How many groups there are."""
        return int(max(self.labels_a.max(), self.labels_b.max())) + 1


def co_cluster(x: ArrayLike, y: ArrayLike, *, groups: int | None = None, seed: int = 0) -> Groups:
    """Divide the units of two layers into common groups.

    Args:
        x: (n, p) activations.
        y: (n, q) activations of the same samples.
        groups: how many; None takes the largest gap between the Laplacian's first eigenvalues.
        seed: of k-means.

    Raises:
        Undefined: see `unit_correlations`, or there are fewer than 4 live units together.
        InvalidInput: `groups` does not fit.
    """
    from sklearn.cluster import KMeans

    a, b = as_activations(x), as_activations(y)
    found = unit_correlations(a, b)
    joint = np.concatenate([standardized(a[:, found.live_a]), standardized(b[:, found.live_b])], axis=1)
    total = joint.shape[1]
    if total < 4:
        raise Undefined("Fewer than four live units leave nothing to group.")
    if groups is not None and not 2 <= groups <= min(MOST_GROUPS, total):
        raise InvalidInput(f"There can be 2 to {min(MOST_GROUPS, total)} groups, not {groups}.")
    affinity = np.abs(joint.T @ joint)
    np.fill_diagonal(affinity, 0.0)
    scale = 1.0 / np.sqrt(np.maximum(affinity.sum(1), 1e-12))
    laplacian = np.eye(total) - affinity * scale[:, None] * scale
    values, vectors = np.linalg.eigh((laplacian + laplacian.T) / 2)
    most = min(MOST_GROUPS, total - 1)
    k = groups if groups is not None else int(np.argmax(np.diff(values[: most + 1])[1:])) + 2
    rows = vectors[:, :k] / np.maximum(np.linalg.norm(vectors[:, :k], axis=1, keepdims=True), 1e-12)
    kmeans = KMeans(k, n_init=10, random_state=torch_seed(seed, "groups") % 2**31).fit(rows)
    labels = _by_size(kmeans.labels_.astype(np.int64))
    p = len(found.live_a)
    same = labels[:p, None] == labels[None, p:]
    strength = np.abs(found.values)
    return Groups(
        labels[:p],
        labels[p:],
        found.live_a,
        found.live_b,
        values[: most + 1],
        float(strength[same].mean()) if same.any() else 0.0,
        float(strength[~same].mean()) if (~same).any() else 0.0,
    )


def _by_size(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same groups numbered from the largest; equal sizes by their first unit."""
    numbers, first, counts = np.unique(labels, return_index=True, return_counts=True)
    order = sorted(range(len(numbers)), key=lambda g: (-counts[g], first[g]))
    renamed = np.empty(int(numbers.max()) + 1, np.int64)
    renamed[numbers[order]] = np.arange(len(numbers))
    return renamed[labels]
