"""Units of a layer of one model against units of a layer of another, and the images that excite them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.cache import kept
from core.library.activations import ProbeChoice, activations, common_probe
from core.library.networks import Model
from core.similarity.base import Undefined
from core.similarity.coclustering import Groups, co_cluster
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
class TopImages:
    """The samples that excite a unit most.

    Attributes:
        images: (k, c, h, w).
        ids: of the samples.
        activations: of the unit, largest first.
        classes: names of the samples' classes.
    """

    images: NDArray[np.float32]
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


def top_images(model: Model, probe: Probe, layer_id: str, pooling: str, unit: int, k: int = 9) -> TopImages:
    """The k samples of the probe that excite one unit most.

    With positions as samples, a sample counts by its most excited position.
    """
    x = activations(model, probe, layer_id, pooling)
    column = x[:, unit].reshape(len(probe), -1).max(1).astype(np.float64)
    rows = top_samples(column[:, None], 0, k)
    return TopImages(
        probe.x[rows], probe.ids[rows], column[rows], tuple(probe.classes[int(y)] for y in probe.y[rows])
    )


def _activations(a: Model, b: Model, pair: LayerPair) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    probe = common_probe(a, b, pair.probe)
    return (
        activations(a, probe, pair.layer_a, pair.pooling),
        activations(b, probe, pair.layer_b, pair.pooling),
    )
