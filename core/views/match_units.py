"""Units and heads of a layer of one model against those of another, and the samples that excite units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.cache import kept
from core.errors import InvalidInput
from core.library.activations import ProbeChoice, activations, common_probe
from core.library.networks import Model
from core.similarity.base import Undefined
from core.similarity.coclustering import Groups, co_cluster
from core.similarity.head_matching import HeadMatch, head_match
from core.similarity.matching import (
    Matching,
    UnitCorrelations,
    chance_match,
    match,
    top_samples,
    unit_correlations,
)
from core.similarity.sparse_matching import FewToOne, few_to_one

if TYPE_CHECKING:
    from core.datasets.probe import Probe

MOST_UNITS = 512
"""Wider layers are matched in seconds rather than milliseconds: the page asks for pooled features instead."""


@dataclass(frozen=True)
class LayerPair:
    """What is matched: two layers of two networks, and how their activations are taken."""

    layer_a: str
    layer_b: str
    pooling: str
    probe: ProbeChoice


@dataclass(frozen=True, eq=False)
class UnitMatch:
    """Everything the page shows of one pair of layers.

    Attributes:
        correlations, matching: of the live units.
        chance: mean and standard deviation of the matched correlation for shuffled samples.
    """

    correlations: UnitCorrelations
    matching: Matching
    chance: tuple[float, float]

    def partner(self, unit_a: int) -> int | None:
        """The unit of B matched one to one with a unit of A; None if it has none."""
        i = np.flatnonzero(self.correlations.live_a[self.matching.rows] == unit_a)
        return int(self.correlations.live_b[self.matching.columns[i[0]]]) if len(i) else None


@dataclass(frozen=True, eq=False)
class TopSamples:
    """The samples that excite a unit most.

    Attributes:
        samples: what a person sees of them, see `Probe.shown`.
        ids: of the samples.
        activations: of the unit, largest first.
        classes: names of the samples' classes; empty names where they have none.
    """

    samples: NDArray[np.float32] | list[str]
    ids: NDArray[np.int64]
    activations: NDArray[np.float64]
    classes: tuple[str, ...]


@kept(64, key=lambda a, b, pair: (a.key, b.key, pair))
def unit_match(a: Model, b: Model, pair: LayerPair) -> UnitMatch:
    """Match the units of two layers.

    Raises:
        Undefined: the layers cannot be correlated; the text says why.
        InvalidInput: the models' data differ, or a layer is too large for the pooling.
    """
    x, y = _activations(a, b, pair)
    if max(x.shape[1], y.shape[1]) > MOST_UNITS:
        raise Undefined(
            f"One of these layers has {max(x.shape[1], y.shape[1]):,} units; choose pooled features to match units."
        )
    found = unit_correlations(x, y)
    chance = chance_match(x, y, seed=pair.probe.seed)
    return UnitMatch(found, match(found.values), chance)


@kept(32, key=lambda a, b, pair: (a.key, b.key, pair))
def sparse_match(a: Model, b: Model, pair: LayerPair) -> FewToOne:
    """Explain each unit of B's layer by few units of A's; raises as `unit_match`."""
    return few_to_one(*_activations(a, b, pair), seed=pair.probe.seed)


@kept(32, key=lambda a, b, pair, groups: (a.key, b.key, pair, groups))
def unit_groups(a: Model, b: Model, pair: LayerPair, groups: int | None) -> Groups:
    """Groups of units of both layers; raises as `unit_match`."""
    return co_cluster(*_activations(a, b, pair), groups=groups, seed=pair.probe.seed)


def top_of_probe(
    model: Model, probe: Probe, layer_id: str, pooling: str, unit: int, k: int = 9
) -> TopSamples:
    """The k samples of the probe that excite one unit most.

    With positions as samples, a sample counts by its most excited position.
    """
    values = activations(model, probe, layer_id, pooling)[:, unit]
    column = np.array([part.max() for part in _by_sample(values, probe)], np.float64)
    rows = top_samples(column[:, None], 0, k)
    names = probe.classes if probe.y.ndim == 1 else ()
    classes = tuple(names[int(y)] for y in probe.y[rows]) if names else ("",) * len(rows)
    return TopSamples(probe.shown(rows), probe.ids[rows], column[rows], classes)


def _by_sample(values: NDArray[np.float32], probe: Probe) -> list[NDArray[np.float32]]:
    """The rows of each sample: equally many, or a row per token of a text; a text of none has a zero."""
    lengths = probe.x[1].sum(1) if probe.task == "tokens" else np.ones(len(probe), np.int64)
    if len(values) == len(probe) or lengths.sum() != len(values):
        return list(values.reshape(len(probe), -1))
    parts = np.split(values, np.cumsum(lengths)[:-1])
    return [part if len(part) else np.zeros(1, np.float32) for part in parts]


@dataclass(frozen=True, eq=False)
class HeadPair:
    """Heads of two layers and how they go together.

    Attributes:
        found: the matching.
        rows: samples or tokens compared.
    """

    found: HeadMatch
    rows: int


@kept(64, key=lambda a, b, pair: (a.key, b.key, pair))
def heads_of_pair(a: Model, b: Model, pair: LayerPair) -> HeadPair:
    """Match the attention heads of two stages.

    Raises:
        Undefined: the heads cannot be compared; the text says why.
        InvalidInput: a stage has no heads (the text says which have), or there are too many tokens.
    """
    from core.networks.attention_heads import blocks_with_heads, head_outputs

    probe = common_probe(a, b, pair.probe)
    sides = []
    for name, model, layer in (("A", a, pair.layer_a), ("B", b, pair.layer_b)):
        stage, there = layer.partition(".")[0], blocks_with_heads(model.net)
        if stage not in there:
            labels = ", ".join(model.labels[int(s)] for s in there)
            known = f"choose one of {labels}" if there else "this network has none in any stage"
            label = model.labels[int(stage)] if stage.isdecimal() else stage
            raise InvalidInput(f"The selected stage of {name}, {label}, has no attention heads: {known}.")
        pooling = "pooled" if pair.pooling == "flattened" else pair.pooling
        sides.append(head_outputs(model.net, probe.x, stage, pooling=pooling))
    return HeadPair(head_match(*sides, seed=pair.probe.seed), len(sides[0]))


def _activations(a: Model, b: Model, pair: LayerPair) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    probe = common_probe(a, b, pair.probe)
    return (
        activations(a, probe, pair.layer_a, pair.pooling),
        activations(b, probe, pair.layer_b, pair.pooling),
    )
