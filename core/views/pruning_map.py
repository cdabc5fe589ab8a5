"""Networks and benchmarks as points of one map, and which benchmarks fail the same samples. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.cache import kept
from core.evaluation.corruption_error import Redundancy, redundant
from core.geometry.signatures import SignatureMap, shared_edges, signature_map, signatures
from core.library.benchmarks import benchmark_group
from core.library.pruned import PrunedModel
from core.views.pruning import PruningView, columns

MOST_POINTS = 1200
"""Pairs of network and benchmark drawn at most; the distances of all pairs are computed."""


@dataclass(frozen=True, eq=False)
class PairMap:
    """Pairs of network and benchmark in the plane.

    Attributes:
        pairs: (model, benchmark) per point.
        map: points and spanning tree.
        groups: of each point's benchmark.
        by_model, by_benchmark: share of the tree's edges that join points of one network, of one benchmark.
        left_out: pairs that did not fit.
    """

    pairs: tuple[tuple[PrunedModel, str], ...]
    map: SignatureMap
    groups: tuple[str, ...]
    by_model: float
    by_benchmark: float
    left_out: int


@kept(32, key=lambda view, models, severity: (view.key, tuple(m.model_id for m in models), severity))
def pair_map(view: PruningView, models: Sequence[PrunedModel], severity: int) -> PairMap:
    """Signatures of networks on the benchmarks of one severity; kept while the view is the same."""
    found = [(m, b) for m in models for b in columns(view, severity) if view.of(m.model_id, b) is not None]
    pairs = found[:MOST_POINTS]
    made = signature_map(signatures([view.margins[m.model_id][b] for m, b in pairs]))
    return PairMap(
        tuple(pairs),
        made,
        tuple(benchmark_group(b) for _, b in pairs),
        shared_edges(made.edges, [m.model_id for m, _ in pairs]),
        shared_edges(made.edges, [b for _, b in pairs]),
        len(found) - len(pairs),
    )


@kept(32, key=lambda view, models, severity: (view.key, tuple(m.model_id for m in models), severity))
def alike_benchmarks(view: PruningView, models: Sequence[PrunedModel], severity: int) -> Redundancy:
    """Which benchmarks do the same to the same samples of all these networks, by the correlation of margin changes.

    The margin on clean images is taken away first: otherwise all benchmarks agree, because a sample with a
    large margin keeps a large one.
    """
    ids = {m.model_id for m in models}
    spoiled = [b for b in columns(view, severity) if benchmark_group(b) != "clean"]
    # An attack is made for each network anew, so it stands beside the corruptions without being one of them.
    usable = [
        m
        for m in view.models
        if m.model_id in ids and all(view.of(m.model_id, b) is not None for b in ("clean", *spoiled))
    ]
    if not usable:
        return redundant({})
    changes = {
        b: np.stack(
            [
                view.margins[m.model_id][b]["margin"] - view.margins[m.model_id]["clean"]["margin"]
                for m in usable
            ]
        )
        for b in spoiled
    }
    return redundant(changes)
