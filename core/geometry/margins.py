"""The last feature space as the loss sees it: angle, norm and margin of every sample.

With features h and the class rows w_c, b_c of the last layer a logit is z_c = |h| |w_c| cos(theta_c) + b_c, so
three numbers say all that cross-entropy knows of a sample: how well h is turned to its class (angle), how long
it is (norm), and how far it is from the nearest decision boundary (margin).

Source: inspired by Li et al., 'Understanding Robustness Lottery', TVCG 2024; the formulas are derived here from
the softmax.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import InvalidInput

_ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class Margins:
    """n samples in the last feature space.

    Attributes:
        predicted: (n,) classes.
        angle: (n,) radians between features and the row of the true class; pi/2 where either is zero.
        norm: (n,) length of the features.
        margin: (n,) signed distance to the nearest boundary of the true class: positive exactly where the
            prediction is right, zero on a tie, which counts as wrong.
        rival: (n,) the class behind that boundary.
        probability: (n,) softmax probability of the true class.
        angles: (n, C) radians to the row of every class.
    """

    predicted: NDArray[np.int64]
    angle: NDArray[np.float64]
    norm: NDArray[np.float64]
    margin: NDArray[np.float64]
    rival: NDArray[np.int64]
    probability: NDArray[np.float64]
    angles: NDArray[np.float64]

    @property
    def correct(self) -> NDArray[np.bool_]:
        """(n,) whether the prediction is right."""
        return self.margin > 0


def margins(features: ArrayLike, y: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None) -> Margins:
    """Angle, norm, signed margin and rival of every sample.

    The margin to class c is [(w_y - w_c) h + b_y - b_c] / |w_y - w_c|. Where two classes have the same row no
    move of the features changes the decision between them; there the gap of the biases stands for the distance
    if it is against the true class, else the pair is left out.

    Args:
        features: (n, p) inputs of the last linear layer.
        y: (n,) true classes.
        weight: (C, p) rows of the classes.
        bias: (C,); None for none.

    Raises:
        InvalidInput: shapes do not fit, fewer than two classes, or labels out of range.
    """
    h, labels = np.asarray(features, np.float64), np.asarray(y, np.int64)
    w = np.asarray(weight, np.float64)
    if h.ndim != 2 or labels.shape != h.shape[:1] or w.ndim != 2 or w.shape[1] != h.shape[1] or len(w) < 2:
        raise InvalidInput(
            "Margins need features (n, p), n labels, and the rows (C, p) of two classes or more."
        )
    if len(labels) and not 0 <= labels.min() <= labels.max() < len(w):
        raise InvalidInput("A label is no class of the last layer.")
    b = np.zeros(len(w)) if bias is None else np.asarray(bias, np.float64)
    logits, rows = h @ w.T + b, np.arange(len(h))
    norm, lengths = np.linalg.norm(h, axis=1), np.linalg.norm(w, axis=1)
    product = norm[:, None] * lengths
    cosine = np.divide(logits - b, product, out=np.zeros_like(product), where=product > 0)
    angles = np.arccos(np.clip(cosine, -1, 1))
    distance = _distances(logits, labels, w)
    rival = distance.argmin(1)
    margin = distance[rows, rival]
    predicted = logits.argmax(1)
    # A tie that argmax decides for the true class by its number alone is not a right answer.
    predicted = np.where((margin <= 0) & (predicted == labels), rival, predicted)
    shifted = np.exp(logits - logits.max(1, keepdims=True)) if len(h) else logits
    probability = shifted[rows, labels] / shifted.sum(1)
    return Margins(predicted, angles[rows, labels], norm, margin, rival, probability, angles)


def _distances(
    logits: NDArray[np.float64], labels: NDArray[np.int64], w: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n, C) signed distances to the boundary with every class; infinite for the true class itself."""
    rows = np.arange(len(labels))
    gap = logits[rows, labels][:, None] - logits
    apart = np.linalg.norm(w[labels][:, None, :] - w[None], axis=2)
    same = apart <= _ROUNDING * max(1.0, float(np.abs(w).max()))
    found = np.divide(gap, apart, out=np.array(gap), where=~same)
    found[same & (gap > 0)] = np.inf
    found[rows, labels] = np.inf
    # All rivals share the row of the true class: the gaps of the biases are all there is.
    lost = np.isinf(found).all(1)
    if lost.any():
        found[lost] = gap[lost]
        found[rows[lost], labels[lost]] = np.inf
    return found


def by_class(values: ArrayLike, y: ArrayLike, classes: int) -> NDArray[np.float64]:
    """(classes,) mean of a quantity over the samples of each class; NaN for a class without samples."""
    v, labels = np.asarray(values, np.float64), np.asarray(y, np.int64)
    return np.array([v[labels == k].mean() if (labels == k).any() else np.nan for k in range(classes)])
