"""A graph as a plug-in reads it: features of its nodes, its edges, and a class for each labeled node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.datasets.base import Raw, Split

UNLABELED = -1
"""Class of a node that belongs to no split; it still carries messages."""


@dataclass(frozen=True, eq=False)
class GraphSplit(Split):
    """Some nodes of a graph. `x` is the whole graph, the nodes of the split first, in their order, then the
    others in that of the source; so `ids` alone say which row a node has.
    """

    def order(self) -> NDArray[np.int64]:
        """(n,) position in the source of the node in each row of the graph."""
        rest = np.ones(len(self.x[0]), bool)
        rest[self.ids] = False
        return np.concatenate([self.ids, np.flatnonzero(rest)])

    def places(self) -> NDArray[np.int64]:
        """(n,) row of each node of the source, the inverse of `order`."""
        order = self.order()
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        return place

    def rows(self, index: slice | NDArray[np.int64]) -> Split:
        features, edges = self.x
        source = features[self.places()], self.order()[edges]
        return GraphSplit(with_first(source, self.ids[index]), self.y[index], self.ids[index])


@dataclass(frozen=True, eq=False)
class RawGraph(Raw):
    """One graph, whose nodes are the samples.

    Attributes:
        x: (n, features) float32, one row per labeled node first.
        edges: (2, e) node numbers, from and to; each edge of an undirected graph stands in it twice.
        y: (k,) class indices of the first k nodes.
        classes, n_test: see `Raw`.
        division: positions of the training, validation and test nodes where others have decided it.
    """

    arrays = ("x", "edges")
    x: NDArray[np.float32]
    edges: NDArray[np.int64]
    y: NDArray[np.int64]
    classes: tuple[str, ...]
    n_test: int = 0
    division: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]] | None = None

    def take(self, ids: NDArray[np.int64]) -> Split:
        """The whole graph, the nodes at (k,) positions first."""
        x = with_first((self.x, self.edges), ids)
        return GraphSplit(x, np.ascontiguousarray(self.y[ids], dtype=np.int64), ids)

    def inputs(self, train: Split) -> dict[str, Any]:
        return {"input_shape": (self.x.shape[1],), "nodes": len(self.x), "edges": self.edges.shape[1]}

    def fixed(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]] | None:
        return self.division


Graph = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Features (n, f) of the nodes, and edges (2, e)."""


def with_first(graph: Graph, ids: NDArray[np.int64]) -> Graph:
    """The same graph with its nodes in another order: those at (k,) different positions first, then the others."""
    features, edges = graph
    rest = np.ones(len(features), bool)
    rest[ids] = False
    order = np.concatenate([ids, np.flatnonzero(rest)])
    place = np.empty(len(features), np.int64)
    place[order] = np.arange(len(features))
    return np.ascontiguousarray(features[order]), place[edges]
