"""Compare layers position by position without keeping the positions: a batch at a time, moments only.

With every position a sample of its own a probe of 1,000 images has up to a million rows. Measures that are
functions of means and covariances need none of them twice, so memory depends on the numbers of units alone.
Layers with maps of one size share one pass and one set of moments.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.seeding import stream
from core.similarity.base import Measure, Undefined, different_rows, too_few, too_wide
from core.similarity.comparing import LayerComparison
from core.similarity.moments import FromMoments, Moments

if TYPE_CHECKING:
    from torch import nn

    from core.networks.capture import LayerInfo


def positions(layer: LayerInfo) -> int:
    """Positions of a layer's map (or its tokens); 1 for a vector."""
    return max(1, math.prod(layer.shape) // layer.units)


def streamed_comparison(
    a: nn.Sequential,
    b: nn.Sequential,
    x: NDArray[np.float32],
    sides: tuple[Sequence[LayerInfo], Sequence[LayerInfo]],
    measure: Measure,
    *,
    permutations: int,
    seed: int,
) -> LayerComparison:
    """Every layer of `a` against every layer of `b`, each position a sample.

    Args:
        a, b: networks, run batch by batch.
        x: the samples.
        sides: what is compared: layers of `a` and of `b`.
        measure: one that can be computed from moments.
        permutations: null values, with rows in random order within each batch.
        seed: decides those orders.

    Raises:
        TypeError: the measure needs whole layers.
    """
    layers_a, layers_b = sides
    if not isinstance(measure, FromMoments):
        raise TypeError(f"{measure.name} cannot be computed from moments")
    groups = {
        size: _Group(size, layers_a, layers_b, permutations)
        for size in {positions(layer) for layer in layers_a}
    }
    _read(a, b, x, groups.values(), seed)
    shape = (len(layers_a), len(layers_b))
    values, null = np.full(shape, math.nan), np.full((permutations, *shape), math.nan)
    reasons: dict[tuple[int, int], str] = {}
    n = [len(x) * positions(layer) for layer in layers_a]
    for i, left in enumerate(layers_a):
        for j, right in enumerate(layers_b):
            reason = (
                different_rows(n[i], len(x) * positions(right)) if positions(left) != positions(right) else ""
            )
            least = measure.least_samples(left.units, right.units)
            reason = reason or too_wide(measure, left.units, right.units)
            reason = reason or (
                too_few(measure, n[i], left.units, right.units, least=least) if n[i] < least else ""
            )
            if not reason:
                moments = groups[positions(left)].moments_of(i, j)
                try:
                    values[i, j] = measure.from_moments(moments[0])
                    null[:, i, j] = [measure.from_moments(m) for m in moments[1:]]
                except Undefined as error:
                    values[i, j], reason = math.nan, str(error)
            if reason:
                reasons[i, j] = reason
    return LayerComparison(
        layers_a=tuple(layer.layer_id for layer in layers_a),
        layers_b=tuple(layer.layer_id for layer in layers_b),
        values=values,
        null_mean=null.mean(0) if permutations else np.full(shape, math.nan),
        null_sd=null.std(0, ddof=1) if permutations > 1 else np.full(shape, math.nan),
        reasons=reasons,
        n=tuple(n),
        units_a=tuple(layer.units for layer in layers_a),
        units_b=tuple(layer.units for layer in layers_b),
        permutations=permutations,
    )


class _Group:
    """Layers of both networks with maps of one size, side by side: one pass gives the moments of all pairs."""

    def __init__(
        self, size: int, layers_a: Sequence[LayerInfo], layers_b: Sequence[LayerInfo], permutations: int
    ) -> None:
        self.left = [(i, x) for i, x in enumerate(layers_a) if positions(x) == size]
        self.right = [(j, y) for j, y in enumerate(layers_b) if positions(y) == size]
        widths = [sum(layer.units for _, layer in side) for side in (self.left, self.right)]
        # The true order first, then one per permutation.
        self.moments = [Moments(widths[0], widths[1]) for _ in range(permutations + 1)]

    def update(
        self, x: NDArray[np.float64], y: NDArray[np.float64], orders: Sequence[NDArray[np.intp]]
    ) -> None:
        self.moments[0].update(x, y)
        for moments, order in zip(self.moments[1:], orders, strict=True):
            moments.update(x, y[order])

    def moments_of(self, i: int, j: int) -> list[Moments]:
        """Moments of one pair of layers, cut out of those of all."""
        left, right = _span(self.left, i), _span(self.right, j)
        found = []
        for whole in self.moments:
            index = np.concatenate([np.arange(*left), whole.p + np.arange(*right)])
            part = Moments(left[1] - left[0], right[1] - right[0])
            part.n, part.mean = whole.n, whole.mean[index]
            part.scatter = whole.scatter[np.ix_(index, index)]
            found.append(part)
        return found


def _span(side: Sequence[tuple[int, LayerInfo]], wanted: int) -> tuple[int, int]:
    start = 0
    for number, layer in side:
        if number == wanted:
            return start, start + layer.units
        start += layer.units
    raise KeyError(wanted)


def _read(
    a: nn.Sequential, b: nn.Sequential, samples: NDArray[np.float32], groups: Iterable[_Group], seed: int
) -> None:
    """One pass over the samples with both networks."""
    from core.networks.capture import as_rows, batches

    chosen = [g for g in groups if g.left and g.right]
    of_left = sorted({layer.layer_id for g in chosen for _, layer in g.left})
    of_right = sorted({layer.layer_id for g in chosen for _, layer in g.right})
    both = zip(batches(a, samples, of_left), batches(b, samples, of_right), strict=True)
    for number, (of_a, of_b) in enumerate(both):
        for group in chosen:
            x, y = (
                np.concatenate(
                    [as_rows(out[layer.layer_id], "positions").double().numpy() for _, layer in side], axis=1
                )
                for out, side in ((of_a, group.left), (of_b, group.right))
            )
            orders = [
                stream(seed, "null", k, number, len(x)).permutation(len(x))
                for k in range(len(group.moments) - 1)
            ]
            group.update(x, y, orders)
