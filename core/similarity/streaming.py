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
    from core.datasets.probe import Probe
    from core.library.networks import Model
    from core.networks.capture import LayerInfo


def positions(layer: LayerInfo) -> int:
    """Positions of a layer's map (or its tokens); 1 for a vector."""
    return max(1, math.prod(layer.shape) // layer.units)


def streamed_comparison(
    a: Model, b: Model, probe: Probe, layers_a: Sequence[LayerInfo], layers_b: Sequence[LayerInfo], measure: Measure,
    *, permutations: int, seed: int,
) -> LayerComparison:  # fmt: skip
    """Every layer of `a` against every layer of `b`, each position a sample.

    Args:
        a, b: models, run batch by batch.
        probe: the images.
        layers_a, layers_b: what is compared.
        measure: one that can be computed from moments.
        permutations: null values, with rows in random order within each batch.
        seed: decides those orders.

    Raises:
        TypeError: the measure needs whole layers.
    """
    if not isinstance(measure, FromMoments):
        raise TypeError(f"{measure.name} cannot be computed from moments")
    groups = {
        size: _Group(size, layers_a, layers_b, permutations) for size in {positions(x) for x in layers_a}
    }
    _read(a, b, probe, groups.values(), seed)
    shape = (len(layers_a), len(layers_b))
    values, null = np.full(shape, math.nan), np.full((permutations, *shape), math.nan)
    reasons: dict[tuple[int, int], str] = {}
    n = [len(probe) * positions(x) for x in layers_a]
    for i, x in enumerate(layers_a):
        for j, y in enumerate(layers_b):
            reason = different_rows(n[i], len(probe) * positions(y)) if positions(x) != positions(y) else ""
            least = measure.least_samples(x.units, y.units)
            reason = reason or too_wide(measure, x.units, y.units)
            reason = reason or (too_few(measure, n[i], x.units, y.units, least=least) if n[i] < least else "")
            if not reason:
                moments = groups[positions(x)].moments_of(i, j)
                try:
                    values[i, j] = measure.from_moments(moments[0])
                    null[:, i, j] = [measure.from_moments(m) for m in moments[1:]]
                except Undefined as error:
                    values[i, j], reason = math.nan, str(error)
            if reason:
                reasons[i, j] = reason
    return LayerComparison(
        tuple(x.layer_id for x in layers_a), tuple(y.layer_id for y in layers_b), values,
        null.mean(0) if permutations else np.full(shape, math.nan),
        null.std(0, ddof=1) if permutations > 1 else np.full(shape, math.nan),
        reasons, tuple(n), tuple(x.units for x in layers_a), tuple(y.units for y in layers_b), permutations,
    )  # fmt: skip


class _Group:
    """Layers of both models with maps of one size, side by side: one pass gives the moments of all pairs."""

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


def _read(a: Model, b: Model, probe: Probe, groups: Iterable[_Group], seed: int) -> None:
    """One pass over the probe with both models."""
    from core.networks.capture import as_rows, batches

    chosen = [g for g in groups if g.left and g.right]
    of_left = sorted({layer.layer_id for g in chosen for _, layer in g.left})
    of_right = sorted({layer.layer_id for g in chosen for _, layer in g.right})
    both = zip(batches(a.net, probe.x, of_left), batches(b.net, probe.x, of_right), strict=True)
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
