"""What collapse should look like when classes have different sizes: the unconstrained feature model.

Features H (p, N) and a linear classifier of one or more layers are free; minimized is

    |W_M ... W_1 H - Y|^2 / (2 N) + sum_j l_W |W_j|^2 / 2 + l_H |H|^2 / 2,

without biases. Its minimum is known in closed form: class means are orthogonal (a general orthogonal frame,
not a simplex), longer for larger classes, and the smallest classes may vanish ("minority collapse").

Source: Dang et al., "Neural Collapse in Deep Linear Networks: From Balanced to Imbalanced Data", ICML 2023.
The form used here is derived anew; the tests minimize the loss numerically and find the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from core.errors import InvalidInput


@dataclass(frozen=True, eq=False)
class Frame:
    """The minimum for given class sizes.

    Attributes:
        singular: (C,) singular value s_c that class c has in every layer; 0 for a class that vanished.
        mean_squares: (C,) squared length of each class mean.
        weight_gram: (C, C) W W^T of the product of all layers.
        feature_gram: (C, C) inner products of the class means.
        product: (C, C) W applied to the class means.
    """

    singular: NDArray[np.float64]
    mean_squares: NDArray[np.float64]
    weight_gram: NDArray[np.float64]
    feature_gram: NDArray[np.float64]
    product: NDArray[np.float64]


def frame(counts: Sequence[int], l_w: float, l_h: float, layers: int = 1) -> Frame:
    """The global minimum of the model.

    Args:
        counts: samples per class.
        l_w, l_h: weight and feature decay, positive.
        layers: number M of linear layers above the features, all with decay `l_w`.

    Raises:
        InvalidInput: an argument is not positive.
    """
    sizes = np.asarray(counts, dtype=np.float64)
    if not sizes.size or sizes.min() <= 0 or min(l_w, l_h) <= 0 or layers < 1:
        raise InvalidInput("Class sizes, decays and the number of layers must be positive.")
    n = float(sizes.sum())
    s = np.array([_singular(size, n, l_w, l_h, layers) for size in sizes])
    power = s ** (2 * layers)
    means = power / (power + n * l_h) ** 2
    product = power / (power + n * l_h)
    return Frame(s, means, np.diag(power), np.diag(means), np.diag(product))


def _singular(size: float, n: float, l_w: float, l_h: float, layers: int) -> float:
    """Singular value of one class: minimize its share of the loss over s.

    With the features eliminated, h = s^M / (s^2M + N l_H) per sample, the share of a class of n_c samples is
    n_c l_H / (2 (s^2M + N l_H)) + M l_W s^2 / 2.
    """
    if layers == 1:
        return float(np.sqrt(max(np.sqrt(size * l_h / l_w) - n * l_h, 0.0)))

    def share(s: float) -> float:
        return size * l_h / (2 * (s ** (2 * layers) + n * l_h)) + layers * l_w * s * s / 2

    def slope(s: float) -> float:
        # d share / d (s^2), without the factor M / 2.
        return l_w - size * l_h * s ** (2 * layers - 2) / (s ** (2 * layers) + n * l_h) ** 2

    # The pull of the data is largest where (2M-2)(s^2M + N l_H) = 4M s^2M; the minimum lies beyond it.
    peak = (n * l_h * (layers - 1) / (layers + 1)) ** (1 / (2 * layers))
    if slope(peak) >= 0:
        return 0.0
    high = peak
    while slope(high) < 0:
        high *= 2
    found = float(brentq(slope, peak, high, xtol=1e-14))
    return found if share(found) < share(0.0) else 0.0


def distance_to(gram: ArrayLike, target: ArrayLike) -> float:
    """Distance of two matrices after both are scaled to unit Frobenius norm: 0 (same shape) to 2.

    Raises:
        InvalidInput: shapes differ, or one of them is zero.
    """
    a, b = np.asarray(gram, dtype=np.float64), np.asarray(target, dtype=np.float64)
    sizes = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    if a.shape != b.shape or min(sizes) <= 0:
        raise InvalidInput("Two non-zero matrices of equal shape are needed.")
    return float(np.linalg.norm(a / sizes[0] - b / sizes[1]))


def simplex_gram(classes: int) -> NDArray[np.float64]:
    """(C, C) inner products of centered class means under balanced collapse: a simplex."""
    return np.asarray(np.eye(classes) - 1 / classes)
