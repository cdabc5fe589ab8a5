"""The same samples as two models see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.cache import kept
from core.errors import InvalidInput
from core.geometry.embedding import sample_maps
from core.library.activations import ProbeChoice, activations, common_probe, logits
from core.library.networks import Model

if TYPE_CHECKING:
    from core.datasets.probe import Probe
    from core.geometry.embedding import SampleMaps

_RINGED_SHARE = 0.05
_MARGIN = 0.05


@dataclass(frozen=True, eq=False)
class SampleView:
    """What the page shows of two layers' samples.

    Attributes:
        maps: coordinates and overlaps.
        probe: the samples.
        least_alike: rows, those whose neighborhoods agree least first.
        ringed: (n,) the first 5 % of them.
        bounds: (left, right, bottom, top), common to both maps.
        answers: (2, n) classes answered by A and B.
        chance: expected neighbor overlap of unrelated samples.
    """

    maps: SampleMaps
    probe: Probe
    least_alike: NDArray[np.intp]
    ringed: NDArray[np.bool_]
    bounds: tuple[float, float, float, float]
    answers: NDArray[np.int64]
    chance: float

    def in_order(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """The same rows, those whose neighborhoods agree least first."""
        return np.asarray(rows[np.argsort(self.maps.overlap[rows], kind="stable")])

    def captions(self, rows: NDArray[np.intp]) -> tuple[list[str], list[bool]]:
        """(class and both answers, whether one of them is wrong) of some samples."""
        names, y = self.probe.classes, self.probe.y
        texts = [
            f"{names[y[r]]} · A {names[self.answers[0, r]]} · B {names[self.answers[1, r]]}" for r in rows
        ]
        return texts, [bool((self.answers[:, r] != y[r]).any()) for r in rows]


@kept(32, key=lambda a, b, *asked: (a.key, b.key, asked))
def sample_view(
    a: Model, b: Model, layer_a: str, layer_b: str, pooling: str, choice: ProbeChoice
) -> SampleView:
    """Put the samples of two layers into one frame.

    Raises:
        InvalidInput: positions are samples (there is no sample per dot then), a layer is constant or too
            large, or the models' data differ.
    """
    if pooling == "positions":
        raise InvalidInput(
            "With positions as samples a dot is no sample; choose pooled or flattened features."
        )
    probe = common_probe(a, b, choice)
    maps = sample_maps(activations(a, probe, layer_a, pooling), activations(b, probe, layer_b, pooling))
    least_alike = np.argsort(maps.overlap, kind="stable")
    ringed = np.zeros(len(probe), dtype=bool)
    ringed[least_alike[: max(1, int(_RINGED_SHARE * len(probe)))]] = True
    bounds = _bounds(np.concatenate([maps.a, maps.b]))
    answers = np.stack([logits(model, probe).argmax(1) for model in (a, b)])
    return SampleView(
        maps, probe, least_alike, ringed, bounds, answers, maps.neighbors / max(1, len(probe) - 1)
    )


def _bounds(points: NDArray[np.float64]) -> tuple[float, float, float, float]:
    (left, bottom), (right, top) = points.min(0).tolist(), points.max(0).tolist()
    across, up = _MARGIN * (right - left), _MARGIN * (top - bottom)
    return left - across, right + across, bottom - up, top + up
