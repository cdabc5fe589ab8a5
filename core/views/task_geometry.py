"""Alignment, collapse and complexity of a model by its id, computed once and kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.cache import kept
from core.errors import InvalidInput
from core.geometry.collapse import class_means, collapse
from core.geometry.complexity import complexity, dictionary
from core.geometry.task_alignment import align, baseline
from core.geometry.unconstrained_features import distance_to, frame, simplex_gram
from core.library.activations import ProbeChoice, all_activations, layers, probe_of
from core.library.networks import Model
from core.words import format_share

if TYPE_CHECKING:
    from core.datasets.probe import Probe
    from core.geometry.collapse import Collapse
    from core.geometry.complexity import Complexity, Features
    from core.geometry.task_alignment import Alignment

_SMALL_DECAY = 1e-9


@dataclass(frozen=True, eq=False)
class DepthPath:
    """How a network's stages stand between input and target.

    Attributes:
        layer_ids, labels: the stages, from first to last.
        alignments: one per stage.
        baseline: CKA of pixels and labels themselves.
        n: samples.
        chance: accuracy of guessing.
    """

    layer_ids: tuple[str, ...]
    labels: tuple[str, ...]
    alignments: tuple[Alignment, ...]
    baseline: float
    n: int
    chance: float


@kept(64, key=lambda model, choice: (model.key, choice))
def depth_path(model: Model, choice: ProbeChoice) -> DepthPath:
    """Input and target alignment of every stage, pooled features.

    Raises:
        DataUnavailable, InvalidInput: the model's data are not here.
    """
    probe, stages = probe_of(model, choice), layers(model)
    captured = all_activations(model, probe, [s.layer_id for s in stages])
    classes = len(probe.classes)
    found = [align(captured[s.layer_id], probe.x, probe.y, classes, seed=choice.seed) for s in stages]
    return DepthPath(
        tuple(s.layer_id for s in stages),
        tuple(s.label for s in stages),
        tuple(found),
        baseline(probe.x, probe.y, classes),
        len(probe),
        1 / classes,
    )


@dataclass(frozen=True, eq=False)
class CollapseView:
    """Neural collapse of one network on training images.

    Attributes:
        found: the measures.
        to_simplex: distance of the class means' inner products from a simplex (both of unit size).
        to_frame: the same from the orthogonal frame that imbalanced classes would form.
        classes: names of the classes present.
        n: samples; `smallest` of them in the rarest class.
    """

    found: Collapse
    to_simplex: float
    to_frame: float
    classes: tuple[str, ...]
    n: int
    smallest: int


def collapse_view(model: Model, choice: ProbeChoice) -> CollapseView:
    """Collapse on training images (a stratified probe of them), whatever split the page looks at.

    Raises:
        InvalidInput: a class is missing, or the class means coincide.
        DataUnavailable: the model's data are not here.
    """
    train = ProbeChoice(split="train", n=choice.n, seed=choice.seed)
    return _collapse_view(model, train)


@kept(64, key=lambda model, choice: (model.key, choice))
def _collapse_view(model: Model, choice: ProbeChoice) -> CollapseView:
    from core.networks.heads import penultimate, weight_and_bias

    probe = probe_of(model, choice)
    features, layer = penultimate(model.net, probe.x)
    weight, bias = weight_and_bias(layer)
    found = collapse(features, probe.y, weight, bias)
    means = class_means(features, probe.y)
    centered = means - means.mean(0)
    counts = np.bincount(probe.y, minlength=len(probe.classes))[found.classes]
    # The decay that acted on the features is not known; for a small one only the class sizes decide.
    target = frame(counts.tolist(), _SMALL_DECAY, _SMALL_DECAY).feature_gram
    return CollapseView(
        found,
        distance_to(centered @ centered.T, simplex_gram(len(means))),
        distance_to(means @ means.T, target),
        tuple(probe.classes[c] for c in found.classes),
        len(probe),
        int(counts.min()),
    )


@dataclass(frozen=True, eq=False)
class ComplexityView:
    """Features of one network, how complex they are and how much they matter.

    Attributes:
        found: complexity and importance.
        features: the dictionary.
        layers: labels of the stages.
        probe: the samples.
    """

    found: Complexity
    features: Features
    layers: tuple[str, ...]
    probe: Probe

    @property
    def rank_correlation(self) -> float:
        """Spearman's correlation of complexity and importance over the features."""
        from scipy.stats import spearmanr

        return float(spearmanr(self.found.complexity, self.found.importance).statistic)

    def top(self, feature: int, k: int = 9) -> tuple[NDArray[np.float32], list[str]]:
        """(images, captions) of the samples in which a feature is strongest."""
        strength = self.features.codes[:, feature]
        rows = np.argsort(-strength, kind="stable")[:k]
        scale = max(float(strength.max()), 1e-12)
        return self.probe.x[rows], [
            f"{self.probe.classes[self.probe.y[r]]} · {format_share(strength[r] / scale)}" for r in rows
        ]

    def extremes(self, k: int = 9) -> dict[str, tuple[NDArray[np.float32], list[str]]]:
        """The samples decided by the simplest and by the most complex features."""
        values = self.found.by_sample
        order = np.argsort(np.nan_to_num(values, nan=np.inf), kind="stable")
        known = order[np.isfinite(values[order])]
        found = {}
        for name, rows in (("simple", known[:k]), ("complex", known[::-1][:k])):
            captions = [f"{self.probe.classes[self.probe.y[r]]} · {values[r]:.2f}" for r in rows]
            found[name] = (self.probe.x[rows], captions)
        return found


@kept(32, key=lambda model, choice, atoms=32: (model.key, choice, atoms))
def complexity_view(model: Model, choice: ProbeChoice, atoms: int = 32) -> ComplexityView:
    """Features of a model on a probe; a second or two.

    Raises:
        InvalidInput: the penultimate activations may be negative, are constant, or the probe is too small.
        DataUnavailable: the model's data are not here.
    """
    from core.networks.heads import penultimate, weight_and_bias

    probe, stages = probe_of(model, choice), layers(model)[:-1]
    if not stages:
        raise InvalidInput("This network is a single layer; there is no depth to read features along.")
    features, head = penultimate(model.net, probe.x)
    found = dictionary(features, atoms=atoms, seed=choice.seed)
    captured = all_activations(model, probe, [s.layer_id for s in stages], _pooling_for(model))
    arrays = {s.layer_id: captured[s.layer_id].astype(np.float64) for s in stages}
    result = complexity(arrays, found, weight_and_bias(head)[0], seed=choice.seed)
    return ComplexityView(result, found, tuple(s.label for s in stages), probe)


@dataclass(frozen=True)
class RemainingWidths:
    """What Iterative Feature Merging leaves of a network at one threshold.

    Attributes:
        beta: the threshold.
        rows: (group, units left, units there were).
        accuracy, accuracy_before: of the merged network and of the network, on the probe.
    """

    beta: float
    rows: tuple[tuple[str, int, int], ...]
    accuracy: float
    accuracy_before: float


@kept(64, key=lambda model, choice, beta: (model.key, choice, beta))
def remaining_widths(model: Model, choice: ProbeChoice, beta: float) -> RemainingWidths:
    """Join units that do nearly the same, and say how many are left; milliseconds, no data needed but to judge.

    Raises:
        InvalidInput: the network has no units that can be joined.
    """
    from core.networks.answers import logits
    from core.pruning.feature_merging import merge_features

    probe = probe_of(model, choice)
    found = merge_features(model.net, beta)
    before, after = (
        float((logits(net, probe.x).argmax(1) == probe.y).mean()) for net in (model.net, found.net)
    )
    rows = tuple((_group_title(name, model), found.widths[name], size) for name, size in found.sizes.items())
    return RemainingWidths(beta, rows, after, before)


def _group_title(name: str, model: Model) -> str:
    stage, _, rest = name.partition(".")
    if stage.isdecimal() and int(stage) < len(model.labels):
        return f"{model.labels[int(stage)]}, {rest}"
    return name


def _pooling_for(model: Model) -> str:
    """Flattened layers hold all a reader could use; very wide ones are averaged to keep it a matter of seconds."""
    widest = max(int(np.prod(layer.shape)) for layer in layers(model)[:-1])
    return "flattened" if widest <= 1024 else "pooled"
