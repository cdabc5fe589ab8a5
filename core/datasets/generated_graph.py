"""A generated graph: communities of nodes that are linked more within than between, with noisy features."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from core.datasets.base import DATASETS, FractionConfig, FractionSource, OnProgress, Raw
from core.datasets.graphs import RawGraph
from core.seeding import stream

_FEATURES = 16


@DATASETS.register("generated_graph")
class GeneratedGraph(FractionSource):
    """A random graph of six communities; which one does a node belong to? Built in."""

    label = "Communities (generated graph)"
    source = "contextual stochastic block model: Deshpande et al., NeurIPS 2018; generated here"
    task = "graph"
    licence = "none needed (generated)"

    class Config(FractionConfig):
        """Size and difficulty of the graph, and shares of its nodes."""

        nodes: int = Field(1500, ge=120, le=50_000, description="How many nodes.")
        communities: int = Field(6, ge=2, le=20, description="How many communities, the classes.")
        neighbors: float = Field(6.0, ge=1, le=50, description="Mean number of neighbors of a node.")
        within: float = Field(
            0.6, ge=0, le=1, description="Share of a node's links that stay in its community."
        )
        signal: float = Field(
            0.8, ge=0, le=10, description="How far apart the communities' features are, in deviations."
        )
        labels: int = Field(20, ge=2, le=1000, description="Training nodes of each community.")

    def read(self, on_progress: OnProgress) -> RawGraph:
        on_progress(0.0, "Drawing a graph.")
        config, rng = self.config, stream(0, "generated_graph")
        n, k = config.nodes, config.communities
        y = rng.permutation(np.arange(n) % k).astype(np.int64)
        centers = rng.normal(size=(k, _FEATURES)) * config.signal / np.sqrt(2)
        features = (centers[y] + rng.normal(size=(n, _FEATURES))).astype(np.float32)
        members = [np.flatnonzero(y == label) for label in range(k)]
        links = round(n * config.neighbors / 2)
        start = rng.integers(n, size=links)
        inside = rng.random(links) < config.within
        ends = [
            rng.choice(members[y[a]]) if near else rng.integers(n)
            for a, near in zip(start, inside, strict=True)
        ]
        pairs = np.stack([start, np.array(ends, np.int64)])
        pairs = np.unique(np.sort(pairs[:, pairs[0] != pairs[1]], axis=0), axis=1)
        edges = np.ascontiguousarray(np.concatenate([pairs, pairs[::-1]], 1))
        return RawGraph(features, edges, y, tuple(f"community {c + 1}" for c in range(k)))

    def held_out(self, raw: Raw) -> tuple[int, int]:
        # Few nodes have a label, as in the citation graphs; all others are validation or test.
        n, labels = len(raw.y), self.config.labels * self.config.communities
        validation = round(n * self.config.validation_fraction)
        return validation, max(1, n - validation - labels)
