"""All layers of one net against all layers of another, with the value that chance alone would give."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import InvalidInput
from core.seeding import stream
from core.similarity.base import Measure, Undefined, as_activations, different_rows, too_few, too_wide

PERMUTATIONS = 5


@dataclass(frozen=True, eq=False)
class LayerComparison:
    """What a measure says about every pair of layers of two nets.

    Attributes:
        layers_a, layers_b: layer ids; rows and columns.
        values: (rows, columns); NaN where there is no value.
        null_mean, null_sd: the same for samples that do not belong together (rows of the second net
            in random order), over the permutations; what the measure says where there is nothing.
        reasons: (row, column) -> why there is no value.
        n: samples (rows of activations) of each layer of the first net.
        units_a, units_b: units per layer.
        permutations: how many the null was taken over.
    """

    layers_a: tuple[str, ...]
    layers_b: tuple[str, ...]
    values: NDArray[np.float64]
    null_mean: NDArray[np.float64]
    null_sd: NDArray[np.float64]
    reasons: Mapping[tuple[int, int], str]
    n: tuple[int, ...]
    units_a: tuple[int, ...]
    units_b: tuple[int, ...]
    permutations: int


def compare_layers(
    a: Mapping[str, ArrayLike],
    b: Mapping[str, ArrayLike],
    measure: Measure,
    *,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> LayerComparison:
    """Compare every layer of one net with every layer of another.

    Args:
        a: layer id -> (n, p) activations of the first net.
        b: the same of the second net, for the same samples in the same order.
        measure: how.
        permutations: orders of the samples that the null value is taken over; 0 leaves it out.
        seed: decides those orders.

    Raises:
        InvalidInput: there are no layers, or activations that are not finite.
    """
    if not a or not b:
        raise InvalidInput("There is nothing to compare: one of the networks has no layers.")
    left, right = _Side(a, measure), _Side(b, measure)
    reasons = {
        (i, j): reason
        for i in range(len(left.arrays))
        for j in range(len(right.arrays))
        if (reason := _reason(left, right, i, j, measure))
    }
    values = _matrix(measure, left.prepared, right.prepared, reasons)
    shape = (permutations, *values.shape)
    null = np.full(shape, math.nan)
    for k in range(permutations):
        null[k] = _matrix(measure, left.prepared, right.shuffled(measure, seed, k), reasons)
    null[~np.isfinite(null)] = math.nan
    for i, j in zip(*np.nonzero(~np.isfinite(values)), strict=True):
        key = (int(i), int(j))
        if key not in reasons:
            reasons[key] = _asked_again(measure, left.prepared[i], right.prepared[j])
    values[~np.isfinite(values)] = math.nan
    return LayerComparison(
        layers_a=tuple(a),
        layers_b=tuple(b),
        values=values,
        null_mean=null.mean(0) if permutations else np.full(values.shape, math.nan),
        null_sd=null.std(0, ddof=1) if permutations > 1 else np.full(values.shape, math.nan),
        reasons=reasons,
        n=tuple(len(x) for x in left.arrays),
        units_a=tuple(x.shape[1] for x in left.arrays),
        units_b=tuple(x.shape[1] for x in right.arrays),
        permutations=permutations,
    )


class _Side:
    """One net's layers: arrays, what the measure made of each, and why it could not."""

    def __init__(self, layers: Mapping[str, ArrayLike], measure: Measure) -> None:
        self.arrays = [as_activations(x) for x in layers.values()]
        self.prepared: list[Any] = []
        self.problems: list[str] = []
        for x in self.arrays:
            if wide := too_wide(measure, x.shape[1], 0):
                self.prepared.append(None)
                self.problems.append(wide)
                continue
            try:
                self.prepared.append(measure.prepare(x))
                self.problems.append("")
            except Undefined as error:
                self.prepared.append(None)
                self.problems.append(str(error))

    def shuffled(self, measure: Measure, seed: int, k: int) -> list[Any]:
        """The prepared layers with their samples in random order, the same order for layers of equal length."""
        orders = {len(x): stream(seed, "null", k, len(x)).permutation(len(x)) for x in self.arrays}
        return [
            None if prepared is None else measure.shuffled(prepared, orders[len(x)])
            for prepared, x in zip(self.prepared, self.arrays, strict=True)
        ]


def _reason(left: _Side, right: _Side, i: int, j: int, measure: Measure) -> str:
    x, y = left.arrays[i], right.arrays[j]
    if left.problems[i] or right.problems[j]:
        return left.problems[i] or right.problems[j]
    if len(x) != len(y):
        return different_rows(len(x), len(y))
    p, q = x.shape[1], y.shape[1]
    least = measure.least_samples(p, q)
    return too_few(measure, len(x), p, q, least=least) if len(x) < least else ""


def _matrix(
    measure: Measure, rows: list[Any], columns: list[Any], reasons: Mapping[tuple[int, int], str]
) -> NDArray[np.float64]:
    """Values of the pairs that have one, in as few calls of `measure.matrix` as possible."""
    values = np.full((len(rows), len(columns)), math.nan)
    # Rows that may be compared with the same columns go together; usually that is all of them.
    together: dict[tuple[int, ...], list[int]] = {}
    for i in range(len(rows)):
        together.setdefault(tuple(j for j in range(len(columns)) if (i, j) not in reasons), []).append(i)
    for js, members in together.items():
        if js:
            values[np.ix_(members, js)] = measure.matrix([rows[i] for i in members], [columns[j] for j in js])
    return values


def _asked_again(measure: Measure, a: Any, b: Any) -> str:
    try:
        value = measure.compare(a, b)
    except Undefined as error:
        return str(error)
    return f"{measure.label} is not a finite number here ({value})."
