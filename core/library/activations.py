"""Activations of models on a probe, computed once and kept while there is room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.cache import Cache, kept
from core.config import BaseConfig
from core.datasets.probe import MOST_SAMPLES, Probe, make_probe
from core.errors import InvalidInput
from core.library.networks import Model

if TYPE_CHECKING:
    from core.networks.capture import LayerInfo

_MOST_BYTES = 400_000_000
VERSION = 1
"""Raised when capture changes what it computes: part of the cache keys that outlive a process."""


class ProbeChoice(BaseConfig):
    """Which samples networks are compared on."""

    split: str = Field(
        "validation", pattern="^(train|calibration|validation|test)$", description="Which samples."
    )
    n: int = Field(MOST_SAMPLES, ge=4, le=MOST_SAMPLES, description="At most this many, by class.")
    seed: int = Field(0, ge=0, le=10**9, description="Decides which ones.")


_arrays: Cache[NDArray[np.float32]] = Cache(_MOST_BYTES, size=lambda array: array.nbytes)


@kept(16, key=lambda model, choice: (model.dataset.fingerprint, choice))
def probe_of(model: Model, choice: ProbeChoice) -> Probe:
    """The probe of a model's data; the same object for the same data and choice.

    Raises:
        DataUnavailable: the data are not here.
        InvalidInput: the data found are not those of the model.
    """
    return make_probe(model.dataset, split=choice.split, n=choice.n, seed=choice.seed)


def common_probe(a: Model, b: Model, choice: ProbeChoice) -> Probe:
    """The probe on which two models are compared.

    Raises:
        InvalidInput: they were trained on different data.
    """
    probe, other = probe_of(a, choice), probe_of(b, choice)
    if probe.fingerprint != other.fingerprint:
        raise InvalidInput(
            f"{a.info.title} and {b.info.title} were trained on different data ({probe.title} and {other.title}), "
            "so there are no samples on which to compare them. Choose two networks of one data set."
        )
    return probe


def layers(model: Model, *, inside: bool = False) -> list[LayerInfo]:
    """The stages of a network (and the layers inside them), in order, with shapes."""
    return list(_layers(model, inside))


@kept(256, key=lambda model, inside: (model.key, inside))
def _layers(model: Model, inside: bool) -> tuple[LayerInfo, ...]:
    from core.networks.capture import layers_of

    return tuple(layers_of(model.net, model.dataset.train.rows(slice(0, 1)).x, model.labels, inside=inside))


def activations(model: Model, probe: Probe, layer_id: str, pooling: str = "pooled") -> NDArray[np.float32]:
    """One layer's activations on a probe: (n, p) float32, read-only.

    Raises:
        InvalidInput: there is no such layer, or it is too large for this pooling.
    """
    return all_activations(model, probe, [layer_id], pooling)[layer_id]


def all_activations(
    model: Model, probe: Probe, layer_ids: list[str], pooling: str = "pooled"
) -> dict[str, NDArray[np.float32]]:
    """Several layers' activations by one forward pass; see `activations`."""
    from core.networks.capture import capture

    keys = {name: (model.key, probe.fingerprint, pooling, name) for name in layer_ids}
    found = {name: array for name in layer_ids if (array := _arrays.find(keys[name])) is not None}
    if missing := [name for name in layer_ids if name not in found]:
        captured = capture(model.net, probe.x, missing, pooling=pooling)
        found |= {name: _arrays.put(keys[name], _frozen(array)) for name, array in captured.items()}
    return {name: found[name] for name in layer_ids}


def logits(model: Model, probe: Probe) -> NDArray[np.float32]:
    """What a model answers on a probe: (n, classes) float32, read-only.

    Raises:
        InvalidInput: a sample has an answer at many positions, as in language.
    """
    from core.networks.answers import logits as answered

    if probe.y.ndim > 1:
        raise InvalidInput(
            "Networks for language answer at every scored position, and a window has no one answer to compare. Compare "
            "layers, units or heads, or look at the perplexities on the Front page."
        )
    key = (model.key, probe.fingerprint, "logits", "")
    return _arrays.get(key, lambda: _frozen(answered(model.net, probe.x)))


def _frozen(array: NDArray[np.float32]) -> NDArray[np.float32]:
    array.flags.writeable = False
    return array
