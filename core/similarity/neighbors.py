"""Nearest neighbors: does a sample have the same company in both layers?

A local view: CKA and its like weigh all distances between samples, these measures only the shortest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.config import BaseConfig
from core.similarity.base import MEASURES, Measure, Undefined
from core.similarity.centering import varying
from core.similarity.pairs import few_enough, squared_distances


class NeighborSettings(BaseConfig):
    """Who counts as a neighbor."""

    k: int = Field(10, ge=1, le=200, title="Neighbors per sample")
    nearest_by: Literal["cosine", "euclidean"] = Field("cosine", title="Nearest by")


@dataclass(frozen=True, eq=False)
class Neighbors:
    """The nearest neighbors of every sample in one layer.

    Attributes:
        nearest: (n, k) samples, in no order, without the sample itself.
        members: (n, n) whether the second is a neighbor of the first.
    """

    nearest: NDArray[np.intp]
    members: NDArray[np.bool_]


def neighbors(x: NDArray[np.float64], settings: NeighborSettings) -> Neighbors:
    """Find the k nearest neighbors of each row of x, (n, p).

    A sample on which every unit is zero has no direction: its cosine with all others is 0.

    Raises:
        Undefined: no unit varies, there are too few samples, or one unit has only two directions.
    """
    n = len(x)
    few_enough(n)
    alive = varying(x)
    if n < settings.k + 2:
        raise Undefined(f"{settings.k} neighbors need at least {settings.k + 2} samples; there are {n}.")
    if settings.nearest_by == "cosine":
        if alive.size == 1:
            raise Undefined("This layer has one unit, so all its samples point the same way or the opposite.")
        lengths = np.linalg.norm(x, axis=1, keepdims=True)
        directions = x / np.where(lengths > 0, lengths, 1)
        distances = -(directions @ directions.T)
    else:
        distances = squared_distances(x - x.mean(axis=0))
    np.fill_diagonal(distances, np.inf)
    return _with_members(np.argpartition(distances, settings.k - 1, axis=1)[:, : settings.k])


def reordered(layer: Neighbors, order: NDArray[np.intp]) -> Neighbors:
    """The same neighbors with the samples in another order."""
    place = np.empty(len(order), dtype=np.intp)
    place[order] = np.arange(len(order))
    return _with_members(place[layer.nearest[order]])


def _with_members(nearest: NDArray[np.intp]) -> Neighbors:
    n = len(nearest)
    members = np.zeros((n, n), dtype=bool)
    members[np.arange(n)[:, None], nearest] = True
    return Neighbors(nearest, members)


def shared(a: Neighbors, b: Neighbors) -> NDArray[np.intp]:
    """(n,) how many neighbors each sample has in both layers."""
    n = len(a.nearest)
    counts: NDArray[np.intp] = b.members[np.arange(n)[:, None], a.nearest].sum(axis=1)
    return counts


@MEASURES.register("mutual_knn")
class MutualNeighbors(Measure):
    """Share of each sample's nearest neighbors that are its neighbors in both layers."""

    label = "Mutual nearest neighbors"
    source = "Huh et al., 'The platonic representation hypothesis', ICML 2024"
    Config = NeighborSettings
    left = right = frozenset({"permutation", "scale", "orthogonal"})
    ignores = (
        "Everything but the closest company of each sample: how far, and how the groups lie to each other."
    )
    distrust = (
        "Chance alone gives k/(n - 1), so values from probes of different size cannot be compared; shifts of "
        "the layer change it, because neighbors are found by their direction from zero."
    )

    def least_samples(self, p: int, q: int) -> int:
        return int(self.config.k) + 2

    def prepare(self, x: NDArray[np.float64]) -> Neighbors:
        return neighbors(x, self.config)

    def shuffled(self, prepared: Neighbors, order: NDArray[np.intp]) -> Neighbors:
        return reordered(prepared, order)

    def compare(self, a: Neighbors, b: Neighbors) -> float:
        return float(shared(a, b).mean() / self.config.k)


@MEASURES.register("jaccard_knn")
class JaccardNeighbors(Measure):
    """Neighbors in both layers as a share of those in either, averaged over samples."""

    label = "Nearest neighbors (Jaccard)"
    source = "Klabunde et al., 'Similarity of neural network models', ACM Computing Surveys 2025"
    Config = NeighborSettings
    left = right = frozenset({"permutation", "scale", "orthogonal"})
    ignores = MutualNeighbors.ignores
    distrust = (
        "It is the mutual share on another scale, lower wherever the layers differ: do not read one against "
        "the other, and read both against the value for shuffled samples."
    )

    def least_samples(self, p: int, q: int) -> int:
        return int(self.config.k) + 2

    def prepare(self, x: NDArray[np.float64]) -> Neighbors:
        return neighbors(x, self.config)

    def shuffled(self, prepared: Neighbors, order: NDArray[np.intp]) -> Neighbors:
        return reordered(prepared, order)

    def compare(self, a: Neighbors, b: Neighbors) -> float:
        both = shared(a, b)
        return float((both / (2 * self.config.k - both)).mean())
