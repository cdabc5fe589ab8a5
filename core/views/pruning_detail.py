"""What needs the network itself: angles to every class, class means, and which pixels hold a sample's margin."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.cache import kept, place_of
from core.errors import InvalidInput, NotFound
from core.geometry.collapse import collapse
from core.library.benchmarks import Judge, margins_of, training_probe
from core.library.networks import load_model

if TYPE_CHECKING:
    from core.datasets.probe import Probe
    from core.geometry.collapse import Collapse
    from core.geometry.margins import Margins
    from core.library.networks import Model
    from core.store import RunStore

_GRID = 8
"""Patches along an edge of the image that are covered one after the other."""


@dataclass(frozen=True, eq=False)
class SampleDetail:
    """One sample as one network sees it.

    Attributes:
        image: (c, h, w) as the benchmark shows it.
        loss: (grid, grid) how much of the margin is lost when a patch is covered; negative where it grows.
        margin: without cover.
    """

    image: NDArray[np.float32]
    loss: NDArray[np.float64]
    margin: float


def all_angles(store: RunStore | None, model_id: str, benchmark: str) -> Margins:
    """Where a network puts the probe's images, with the angles to every class. Loads torch.

    Raises:
        NotFound, InvalidInput, DataUnavailable: see `load_model` and `library.dataset`.
    """
    model = load_model(store, model_id)
    return _angles(store, model, benchmark)


@kept(64, key=lambda store, model, benchmark: (place_of(store), model.key, benchmark))
def _angles(store: RunStore | None, model: Model, benchmark: str) -> Margins:
    judge = Judge.of(store, model.entry)
    return margins_of(model.net, judge.images(model.net, benchmark), judge.probe.y)


def samples_of(
    store: RunStore | None, model_id: str, benchmark: str, rows: NDArray[np.intp]
) -> NDArray[np.float32] | list[str]:
    """Some of the probe's samples as a benchmark shows them to a network; see `Probe.shown`. Loads torch.

    Raises:
        NotFound, InvalidInput, DataUnavailable: see `load_model` and `library.dataset`.
    """
    return _spoiled(store, load_model(store, model_id), benchmark).shown(rows)


@kept(32, key=lambda store, model, benchmark: (place_of(store), model.key, benchmark))
def _spoiled(store: RunStore | None, model: Model, benchmark: str) -> Probe:
    """The probe as a benchmark shows it to a network."""
    judge = Judge.of(store, model.entry)
    return replace(judge.probe, x=judge.images(model.net, benchmark))


def class_means(store: RunStore | None, model_id: str) -> Collapse:
    """Cosines between class means and what else neural collapse asks, on training images. Loads torch.

    Raises:
        InvalidInput: two class means coincide, so nothing of it is defined.
    """
    model = load_model(store, model_id)
    return _collapse(model)


@kept(64, key=lambda model: model.key)
def _collapse(model: Model) -> Collapse:
    from core.networks.heads import penultimate, weight_and_bias

    probe = training_probe(model.entry)
    features, layer = penultimate(model.net, probe.x)
    return collapse(features, probe.y, *weight_and_bias(layer))


def sample_detail(store: RunStore | None, model_id: str, benchmark: str, sample: int) -> SampleDetail:
    """Cover one patch of a sample's image after the other and see what becomes of its margin. Loads torch.

    Patches are covered with the image's own mean, so that covering background costs little.

    Raises:
        NotFound: the probe has no such sample.
        InvalidInput: it is no image.
    """
    model = load_model(store, model_id)
    return _sample(store, model, benchmark, sample)


@kept(256, key=lambda store, model, benchmark, sample: (place_of(store), model.key, benchmark, sample))
def _sample(store: RunStore | None, model: Model, benchmark: str, sample: int) -> SampleDetail:
    judge = Judge.of(store, model.entry)
    if judge.probe.task != "image":
        raise InvalidInput(
            "Which patch holds a sample's margin is asked of images. Of a text, look at its margin when tokens are lost or "
            "swapped."
        )
    rows = judge.probe.rows_of([sample])
    if not len(rows):
        raise NotFound("This sample is not among the images that networks are evaluated on.")
    row = int(rows[0])
    image = np.array(_spoiled(store, model, benchmark).x[row])
    covered, grid = _covered(image)
    found = margins_of(
        model.net, np.concatenate([image[None], covered]), np.full(1 + len(covered), judge.probe.y[row])
    ).margin
    return SampleDetail(image, (found[0] - found[1:]).reshape(grid), float(found[0]))


def _covered(image: NDArray[np.float32]) -> tuple[NDArray[np.float32], tuple[int, int]]:
    """(patches, c, h, w) the image with one patch covered each, and the grid of patches."""
    _, height, width = image.shape
    rows = np.linspace(0, height, min(_GRID, height) + 1).astype(int)
    columns = np.linspace(0, width, min(_GRID, width) + 1).astype(int)
    mean = image.mean((1, 2), keepdims=True)
    found = []
    for top, bottom in itertools.pairwise(rows):
        for left, right in itertools.pairwise(columns):
            one = image.copy()
            one[:, top:bottom, left:right] = mean
            found.append(one)
    return np.stack(found), (len(rows) - 1, len(columns) - 1)
