"""Neural collapse: at the end of training, do class means form a simplex, and does the classifier follow them?

All four quantities are computed as the paper does, on the features that enter the last linear layer. S_W and
S_B are averages over samples and classes; `nc1` is tr(S_W S_B^+), not divided by the number of classes.

Source: Papyan, Han, Donoho, "Prevalence of neural collapse during the terminal phase of deep learning
training", PNAS 2020; for imbalanced classes the target of Dang et al., "Neural collapse in deep linear
networks: from balanced to imbalanced data", ICML 2023 (see `unconstrained_features`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import InvalidInput

_ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class Collapse:
    """How far features and classifier have collapsed; every NC is 0 when they have.

    Attributes:
        nc1: spread of samples around their class mean against the spread of the class means.
        nc2_norm: relative spread (sd over mean) of the lengths of the class means.
        nc2_norm_weights: the same of the classifier's rows, as they are (not centered).
        nc2_angle: mean distance of the cosines between class means from -1/(C-1).
        nc3: squared distance of classifier (not centered) and centered class means, both of unit size.
        nc4: share of samples where the net decides otherwise than the nearest class mean.
        cosines: (C, C) cosines between centered class means.
        classes: (C,) classes present in the data.
    """

    nc1: float
    nc2_norm: float
    nc2_norm_weights: float
    nc2_angle: float
    nc3: float
    nc4: float
    cosines: NDArray[np.float64]
    classes: NDArray[np.int64]


def collapse(features: ArrayLike, y: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None) -> Collapse:
    """Measure neural collapse.

    Args:
        features: (n, p) inputs of the last linear layer, of training samples.
        y: (n,) their classes, numbers of rows of `weight`.
        weight: (k, p) the last layer's weight.
        bias: (k,) its bias; None for none.

    Raises:
        InvalidInput: shapes do not fit, fewer than two classes, a class with fewer than two samples, or
            class means that coincide.
    """
    h, labels = np.asarray(features, dtype=np.float64), np.asarray(y, dtype=np.int64)
    w = np.asarray(weight, dtype=np.float64)
    if h.ndim != 2 or labels.shape != h.shape[:1] or w.ndim != 2 or w.shape[1] != h.shape[1]:
        raise InvalidInput("Neural collapse needs features (n, p), n classes, and a classifier (k, p).")
    classes, index, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if len(classes) < 2 or counts.min() < 2:
        raise InvalidInput(
            "Neural collapse needs at least two classes with two samples each; take a larger or another probe."
        )
    means = class_means(h, labels)
    centered = means - means.mean(0)
    lengths = np.linalg.norm(centered, axis=1)
    if lengths.min() <= _ROUNDING * max(1.0, float(np.abs(h).max())):
        raise InvalidInput(
            "A class mean coincides with the mean of all classes: this layer does not tell it apart."
        )
    within = h - means[index]
    rows = w[classes]
    cosines = (centered / lengths[:, None]) @ (centered / lengths[:, None]).T
    c = len(classes)
    off = ~np.eye(c, dtype=bool)
    logits = h @ w.T + (0.0 if bias is None else np.asarray(bias, dtype=np.float64))
    nearest = classes[_squared_distances(h, means).argmin(1)]
    return Collapse(
        nc1=_scatter_ratio(within, centered),
        nc2_norm=float(lengths.std() / lengths.mean()),
        nc2_norm_weights=_relative_spread(np.linalg.norm(rows, axis=1)),
        nc2_angle=float(np.abs(cosines[off] + 1 / (c - 1)).mean()),
        nc3=_self_duality(rows, centered),
        nc4=float((logits.argmax(1) != nearest).mean()),
        cosines=cosines,
        classes=classes,
    )


def class_means(features: NDArray[np.float64], y: NDArray[np.int64]) -> NDArray[np.float64]:
    """(C, p) mean feature of each class present, in the order of the class numbers."""
    return np.stack([features[y == label].mean(0) for label in np.unique(y)])


def _scatter_ratio(within: NDArray[np.float64], centered: NDArray[np.float64]) -> float:
    """tr(S_W S_B^+); S_B has rank C - 1 at most, and its range is spanned by the centered means."""
    c = len(centered)
    _, singular, axes = np.linalg.svd(centered / np.sqrt(c), full_matrices=False)
    keep = singular > 1e-7 * singular[0]
    projected = within @ axes[keep].T
    return float((np.square(projected).mean(0) / np.square(singular[keep])).sum())


def _relative_spread(lengths: NDArray[np.float64]) -> float:
    mean = float(lengths.mean())
    return float(lengths.std() / mean) if mean > _ROUNDING else float("nan")


def _self_duality(weight: NDArray[np.float64], means: NDArray[np.float64]) -> float:
    size = float(np.linalg.norm(weight))
    if size <= _ROUNDING:
        return float("nan")
    return float(np.square(weight / size - means / np.linalg.norm(means)).sum())


def _squared_distances(h: NDArray[np.float64], means: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.square(h).sum(1)[:, None] + np.square(means).sum(1) - 2 * h @ means.T)


def simplex(classes: int, dimensions: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(classes, dimensions) rows of a randomly turned simplex equiangular tight frame, of unit length.

    Raises:
        InvalidInput: fewer than two classes, or fewer dimensions than classes.
    """
    if not 2 <= classes <= dimensions:
        raise InvalidInput("A simplex needs at least two classes and as many dimensions.")
    basis, _ = np.linalg.qr(rng.standard_normal((dimensions, classes)))
    frame = np.sqrt(classes / (classes - 1)) * (np.eye(classes) - 1 / classes)
    return np.asarray(frame @ basis.T)
