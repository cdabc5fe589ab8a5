"""Is a layer still organized like the images, or already like the classes?

Input alignment and target alignment are CKA of a layer with the raw pixels and with the one-hot labels,
after Alleman, Lindsey, Fusi, "Task structure and nonlinearity jointly determine learned representational
geometry", ICLR 2024; both must be read against the baseline, the CKA of pixels and labels themselves.
Linear decodability is the held-out accuracy of a linear readout.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import InvalidInput
from core.seeding import stream
from core.similarity.base import MEASURES, Value, between

_RIDGE = 1e-3
_HELD_OUT = 1 / 3


@dataclass(frozen=True)
class Alignment:
    """Where one layer stands between input and target.

    Attributes:
        input: CKA with the pixels; its `reason` says why there is none.
        target: CKA with the one-hot labels.
        decodability: held-out accuracy of a linear readout; NaN for too few samples.
    """

    input: Value
    target: Value
    decodability: float


def one_hot(y: ArrayLike, classes: int) -> NDArray[np.float64]:
    """(n, classes) indicator rows of the labels."""
    return np.eye(classes)[np.asarray(y, dtype=np.int64)]


def align(
    activations: ArrayLike, pixels: ArrayLike, y: ArrayLike, classes: int, *, seed: int = 0
) -> Alignment:
    """Measure one layer.

    Args:
        activations: (n, p).
        pixels: (n, ...) raw images.
        y: (n,) classes.
        classes: how many there are.
        seed: decides which third of the samples is held out for the readout.

    Raises:
        InvalidInput: sample counts differ.
    """
    h, labels = np.asarray(activations, dtype=np.float64), np.asarray(y, dtype=np.int64)
    x = np.asarray(pixels, dtype=np.float64).reshape(len(labels), -1)
    if len(h) != len(labels):
        raise InvalidInput(
            "Input and target alignment need one row of activations per image; choose pooled features."
        )
    cka = MEASURES.create("cka")
    return Alignment(
        between(h, x, cka),
        between(h, one_hot(labels, classes), cka),
        decodability(h, labels, classes, seed=seed),
    )


def baseline(pixels: ArrayLike, y: ArrayLike, classes: int) -> float:
    """CKA of the pixels with the labels: what a layer that only copies the image would reach as target alignment."""
    labels = np.asarray(y, dtype=np.int64)
    x = np.asarray(pixels, dtype=np.float64).reshape(len(labels), -1)
    return between(x, one_hot(labels, classes), MEASURES.create("cka")).value


def decodability(activations: ArrayLike, y: ArrayLike, classes: int, *, seed: int = 0) -> float:
    """Share of held-out samples that a ridge readout of the layer classifies correctly; NaN below 30 samples."""
    h, labels = np.asarray(activations, dtype=np.float64), np.asarray(y, dtype=np.int64)
    if len(h) < 30:
        return float("nan")
    order = stream(seed, "decodability").permutation(len(h))
    held, fit = np.split(order, [int(len(h) * _HELD_OUT)])
    mean, spread = h[fit].mean(0), h[fit].std(0)
    z = (h - mean) / np.where(spread > 1e-9, spread, np.inf)
    readout = ridge(z[fit], one_hot(labels[fit], classes) - 1 / classes, _RIDGE)
    return float(((z[held] @ readout).argmax(1) == labels[held]).mean())


def ridge(x: NDArray[np.float64], y: NDArray[np.float64], penalty: float) -> NDArray[np.float64]:
    """(p, q) weights that minimize |x w - y|^2 / n + penalty |w|^2, by whichever side is smaller."""
    n, p = x.shape
    if p <= n:
        return np.asarray(np.linalg.solve(x.T @ x + penalty * n * np.eye(p), x.T @ y))
    return np.asarray(x.T @ np.linalg.solve(x @ x.T + penalty * n * np.eye(n), y))
