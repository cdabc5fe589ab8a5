"""The measure contract: how alike are two layers' activations on the same samples?

`prepare` does the work that one layer needs by itself, once per layer; `compare` does the work of one
pair. A heatmap of 12 x 12 layers prepares 24 times and compares 144 times, so the dear part belongs in
`prepare`. `shuffled` gives the prepared layer with its samples in another order: comparing with it shows
what the measure says where there is nothing to find. Called from pages and workers, in any thread; a
measure keeps no state between calls and never writes into what it is given.

A number that does not exist is not NaN but `Undefined`, with one sentence that says why.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.config import Plugin
from core.errors import CoreError, InvalidInput
from core.registry import Registry

MEASURES: Registry[Measure] = Registry("measure", "core.similarity", "MEASURES")

INVARIANCES = ("permutation", "scale", "translation", "orthogonal", "invertible")
"""Changes of a layer that a measure may not notice: units in another order, all multiplied by one
positive number, each shifted by a constant, rotated or reflected, mapped by any invertible matrix."""


class Undefined(CoreError):
    """This number does not exist for these layers; the text says why."""


class Measure(Plugin, ABC):
    """One measure of representational similarity, as a plug-in.

    Attributes:
        of: what is compared: activations (n, p) of a layer, or logits (n, k) of a net.
        kind: whether larger means more alike.
        low, high: bounds of the value (infinite where there is none).
        identical: value of a layer compared with itself.
        symmetric: whether exchanging the two layers leaves the value.
        metric: whether it is a distance that obeys the triangle inequality.
        left, right: changes of the first and of the second layer that leave the value.
        most_units: wider layers are refused in a comparison of all layers: a pair would take seconds.
        ignores: one sentence for the card: which differences it cannot see.
        distrust: one sentence for the card: when not to believe it.
    """

    of: ClassVar[Literal["activations", "outputs"]] = "activations"
    kind: ClassVar[Literal["similarity", "distance"]] = "similarity"
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = 1.0
    identical: ClassVar[float] = 1.0
    symmetric: ClassVar[bool] = True
    metric: ClassVar[bool] = False
    left: ClassVar[frozenset[str]] = frozenset()
    right: ClassVar[frozenset[str]] = frozenset()
    most_units: ClassVar[int] = 4096
    ignores: ClassVar[str] = ""
    distrust: ClassVar[str] = ""

    def least_samples(self, p: int, q: int) -> int:
        """Fewest samples for which the value means anything, for layers of p and q units."""
        return 2

    @abstractmethod
    def prepare(self, x: NDArray[np.float64]) -> Any:
        """What every comparison with this layer needs; x is (n, p) and is not changed.

        Raises:
            Undefined: the layer has no value under this measure (all its units are constant, say).
        """

    @abstractmethod
    def shuffled(self, prepared: Any, order: NDArray[np.intp]) -> Any:
        """What `prepare(x[order])` returns, from what `prepare(x)` returned."""

    @abstractmethod
    def compare(self, a: Any, b: Any) -> float:
        """The value for two prepared layers of the same samples.

        Raises:
            Undefined: this pair has no value.
        """

    def matrix(self, rows: Sequence[Any], columns: Sequence[Any]) -> NDArray[np.float64]:
        """(rows, columns) values; NaN where `compare` says `Undefined`."""
        values = np.full((len(rows), len(columns)), math.nan)
        for i, a in enumerate(rows):
            for j, b in enumerate(columns):
                try:
                    values[i, j] = self.compare(a, b)
                except Undefined:
                    continue
        return values


@dataclass(frozen=True)
class Value:
    """What a measure says about one pair of layers.

    Attributes:
        value: the number; NaN where there is none.
        reason: why there is none; "" where there is one.
        n: samples compared.
        p, q: units of the first and the second layer.
    """

    value: float
    reason: str
    n: int
    p: int
    q: int


def between(x: ArrayLike, y: ArrayLike, measure: Measure) -> Value:
    """Compare two layers' activations on the same samples.

    Args:
        x: (n, p), first layer.
        y: (n, q), second layer, the same samples in the same order.
        measure: how.

    Returns:
        The value, or the reason why there is none; never an exception for odd activations.

    Raises:
        InvalidInput: x or y is not two-dimensional.
    """
    a, b = as_activations(x), as_activations(y)
    shape = (len(a), a.shape[1], b.shape[1])
    if len(a) != len(b):
        return Value(math.nan, different_rows(len(a), len(b)), *shape)
    if len(a) < (least := measure.least_samples(a.shape[1], b.shape[1])):
        return Value(math.nan, too_few(measure, *shape, least=least), *shape)
    try:
        return Value(measure.compare(measure.prepare(a), measure.prepare(b)), "", *shape)
    except Undefined as error:
        return Value(math.nan, str(error), *shape)


def as_activations(x: ArrayLike) -> NDArray[np.float64]:
    """(n, p) float64, finite.

    Raises:
        InvalidInput: it is not two-dimensional, or holds numbers that are not finite.
    """
    array = np.asarray(x, dtype=np.float64)
    if array.ndim != 2:
        raise InvalidInput(f"Activations must be samples by units; got an array of shape {array.shape}.")
    if not np.isfinite(array).all():
        raise InvalidInput("These activations contain numbers that are not finite; the network is broken.")
    return array


def different_rows(n: int, m: int) -> str:
    """Why two layers with different numbers of rows cannot be compared."""
    return (
        f"The layers have {n:,} and {m:,} rows, because their maps differ in size; "
        "average over positions instead."
    )


def too_wide(measure: Measure, p: int, q: int) -> str:
    """Why layers of so many units are not compared; "" where they are."""
    if max(p, q) <= measure.most_units:
        return ""
    return (
        f"{measure.label} of {max(p, q):,} units would take long; it is shown up to {measure.most_units:,}. "
        "Choose pooled features, or CKA."
    )


def too_few(measure: Measure, n: int, p: int, q: int, *, least: int) -> str:
    """Why n samples are not enough."""
    return f"{measure.label} of {p} and {q} units needs at least {least:,} samples; there are {n:,}."
