"""Feature complexity: how early in a network can a feature be read out linearly, and does it matter?

After Fel, Bethune, Lampinen, Serre, Hermann, "Understanding visual feature reliance through the lens of
complexity", NeurIPS 2024. Features are the atoms of a non-negative factorization of the penultimate
activations; the complexity of a feature z is

    K(z) = 1 - mean over layers of I_V(layer -> z),

where I_V, the V-information of linear-Gaussian readers, is the share of z's variance that a ridge readout of
the layer explains on held-out samples, between 0 and 1. Importance is the mean size of the feature's
contribution to the logits. At our scale the dictionary has tens of atoms instead of ten thousand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import InvalidInput
from core.geometry.task_alignment import ridge
from core.quiet import quiet
from core.seeding import stream, torch_seed

PENALTIES = (1e-6, 1e-4, 1e-2, 1.0)
_LEAST_SAMPLES = 40
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Features:
    """A dictionary of features and their strength in each sample.

    Attributes:
        codes: (n, k) non-negative strengths.
        atoms: (k, p) directions in the penultimate space.
        explained: share of the activations' variance that the dictionary reproduces.
    """

    codes: NDArray[np.float64]
    atoms: NDArray[np.float64]
    explained: float


@dataclass(frozen=True, eq=False)
class Complexity:
    """Complexity against importance.

    Attributes:
        layers: names, in order of depth.
        information: (k, layers) share of each feature's variance readable at each layer.
        complexity: (k,) 1 minus its mean over the layers; 0 is readable everywhere.
        importance: (k,) mean absolute contribution to the logits, as a share of all features'.
        by_sample: (n,) complexity of what decides a sample: the features' complexities weighted by their
            contributions to the logit of the class answered. This average is ours, not the paper's.
        n_fit, n_held_out: samples.
    """

    layers: tuple[str, ...]
    information: NDArray[np.float64]
    complexity: NDArray[np.float64]
    importance: NDArray[np.float64]
    by_sample: NDArray[np.float64]
    n_fit: int
    n_held_out: int


def dictionary(penultimate: ArrayLike, *, atoms: int = 32, seed: int = 0) -> Features:
    """Factorize non-negative activations into features.

    Args:
        penultimate: (n, p) activations, at least 0 (after a ReLU).
        atoms: features asked for; may exceed p. Those that stay unused are dropped.
        seed: of the random start.

    Raises:
        InvalidInput: activations are negative (a network without a final ReLU), constant, or too few.
    """
    from sklearn.decomposition import NMF
    from sklearn.exceptions import ConvergenceWarning

    h = np.asarray(penultimate, dtype=np.float64)
    if h.ndim != 2 or len(h) < _LEAST_SAMPLES:
        raise InvalidInput(f"Features need at least {_LEAST_SAMPLES} samples.")
    if h.min() < -1e-6 * max(1.0, float(np.abs(h).max())):
        raise InvalidInput(
            "The features of this network may be negative, and a non-negative dictionary cannot express them; "
            "choose a network with a ReLU before its answer."
        )
    h = np.maximum(h, 0.0)
    scale = float(h.max())
    if scale <= _ROUNDING or float(h.std(0).max()) <= _ROUNDING:
        raise InvalidInput("The last layer is constant on these samples; there are no features.")
    model = NMF(
        atoms, init="random", random_state=torch_seed(seed, "features") % 2**31, max_iter=400, tol=1e-4
    )
    # What the factorization leaves unexplained is reported; a longer run changes it little.
    with quiet(ConvergenceWarning):
        codes = np.asarray(model.fit_transform(h / scale), dtype=np.float64)
    directions = np.asarray(model.components_, dtype=np.float64) * scale
    used = codes.std(0) > 1e-6 * max(float(codes.std(0).max()), _ROUNDING)
    codes, directions = codes[:, used], directions[used]
    left = float(np.square(h - codes @ directions).sum())
    return Features(codes, directions, 1.0 - left / float(np.square(h - h.mean(0)).sum()))


def v_information(layer: ArrayLike, feature: ArrayLike, *, seed: int = 0) -> NDArray[np.float64]:
    """(k,) share of the variance of k features (n, k) that a ridge readout of a layer (n, p) explains.

    The penalty is chosen on a part of the fitted samples, the share is measured on a held-out third and cut to
    [0, 1]. A constant layer explains nothing.
    """
    x, z = np.asarray(layer, dtype=np.float64), np.asarray(feature, dtype=np.float64)
    fit, held = _split(len(x), seed)
    x = (x - x[fit].mean(0)) / np.where(x[fit].std(0) > _ROUNDING, x[fit].std(0), np.inf)
    z = (z - z[fit].mean(0)) / np.maximum(z[fit].std(0), _ROUNDING)
    inner, judge = fit[: 3 * len(fit) // 4], fit[3 * len(fit) // 4 :]
    scores = [_explained(x[judge] @ ridge(x[inner], z[inner], p), z[judge]).mean() for p in PENALTIES]
    weights = ridge(x[fit], z[fit], PENALTIES[int(np.argmax(scores))])
    return np.clip(_explained(x[held] @ weights, z[held]), 0.0, 1.0)


def complexity(
    layers: Mapping[str, NDArray[np.float64]], features: Features, weight: ArrayLike, *, seed: int = 0
) -> Complexity:
    """Complexity and importance of every feature of a dictionary.

    Args:
        layers: name -> (n, p) activations, from the first to the last.
        features: of the same samples.
        weight: (classes, p) weight of the last linear layer.
        seed: decides the held-out samples.

    Raises:
        InvalidInput: there are no layers.
    """
    if not layers:
        raise InvalidInput("There are no layers to read features from.")
    information = np.stack([v_information(x, features.codes, seed=seed) for x in layers.values()], axis=1)
    found = 1.0 - information.mean(1)
    # The head is linear: feature i adds codes_i * (atom_i . w_c) to the logit of class c, exactly.
    effect = features.atoms @ np.asarray(weight, dtype=np.float64).T
    sizes = features.codes.mean(0) * np.abs(effect).mean(1)
    answered = (features.codes @ effect).argmax(1)
    shares = np.abs(features.codes * effect[:, answered].T)
    total = shares.sum(1)
    by_sample = np.divide(shares @ found, total, out=np.full(len(total), np.nan), where=total > _ROUNDING)
    fit, held = _split(len(features.codes), seed)
    return Complexity(
        tuple(layers),
        information,
        found,
        sizes / max(float(sizes.sum()), _ROUNDING),
        by_sample,
        len(fit),
        len(held),
    )


def _split(n: int, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    order = stream(seed, "complexity").permutation(n)
    return order[n // 3 :], order[: n // 3]


def _explained(predicted: NDArray[np.float64], z: NDArray[np.float64]) -> NDArray[np.float64]:
    total = np.maximum(np.square(z - z.mean(0)).sum(0), _ROUNDING)
    return np.asarray(1.0 - np.square(z - predicted).sum(0) / total)
