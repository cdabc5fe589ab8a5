"""Expected hypervolume improvement of guesses: how much more a front is expected to hold with one more architecture.

Objectives are taken to be independent and normal. In two objectives it is exact: the region that the front leaves open
is cut into strips, and in each strip the expected area is a product of two expectations. In more, the open region is
sampled, and the improvement is the share of it that the architecture is expected to dominate.

Source: Emmerich, Giannakoglou, Naujoks, "Single- and multiobjective evolutionary optimization assisted by Gaussian
random field metamodels", IEEE TEC 2006.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from core.pareto import non_dominated

_SAMPLES = 2000
_ROOT = float(np.sqrt(2 * np.pi))


class Improvement:
    """A front that candidates may join, one believed guess after another.

    Args:
        front: (k, m) costs of measured architectures, smaller is better, all finite; dominated ones are welcome.
        mean, deviation: (n, m) costs that candidates are expected to have.
        reference: (m,) costs beyond which nothing counts.
        rng: draws the samples that more than two objectives need.
    """

    def __init__(
        self,
        front: NDArray[np.float64],
        mean: NDArray[np.float64],
        deviation: NDArray[np.float64],
        *,
        reference: NDArray[np.float64],
        rng: np.random.Generator,
    ) -> None:
        self._mean, self._deviation, self._reference = mean, deviation, reference
        inside = front[(front < reference).all(axis=1)]
        self._front = inside[non_dominated(inside, maximize=[False] * len(reference))]
        self._open = np.zeros(0, np.int64)
        self._sampled = len(reference) > 2
        if self._sampled:
            self._sample(rng)

    def of(self, candidates: NDArray[np.int64]) -> NDArray[np.float64]:
        """(k,) expected improvement of some candidates, by their positions."""
        if self._sampled:
            return np.asarray(self._dominates[candidates][:, self._open].sum(axis=1) * self._volume)
        mean, deviation = self._mean[candidates], self._deviation[candidates]
        if mean.shape[1] == 1:
            best = min(float(self._front.min(initial=np.inf)), float(self._reference[0]))
            return _below(np.array([best]), mean, deviation)[:, 0]
        order = np.argsort(self._front[:, 0], kind="stable")
        x, y = self._front[order, 0], self._front[order, 1]
        # Strip i lies left of border i, and is open up to the height of the front member where it begins.
        borders, heights = np.append(x, self._reference[0]), np.append(self._reference[1], y)
        reached = _below(borders, mean[:, :1], deviation[:, :1])
        widths = np.diff(reached, axis=1, prepend=0.0)
        return np.asarray((widths * _below(heights, mean[:, 1:], deviation[:, 1:])).sum(axis=1))

    def believe(self, candidate: int) -> None:
        """Go on as if a candidate had been measured and had given its mean."""
        point = self._mean[candidate]
        if self._sampled:
            self._open = self._open[~(point <= self._samples[self._open]).all(axis=1)]
        elif (point < self._reference).all() and not (self._front <= point).all(axis=1).any():
            stays = ~(point <= self._front).all(axis=1)
            self._front = np.concatenate([self._front[stays], point[None]])

    def _sample(self, rng: np.random.Generator) -> None:
        best = np.minimum(self._mean - 2 * self._deviation, self._reference).min(axis=0, initial=np.inf)
        if len(self._front):
            best = np.minimum(best, self._front.min(axis=0))
        best = np.minimum(best, self._reference)
        self._samples = best + rng.random((_SAMPLES, len(best))) * (self._reference - best)
        taken = np.zeros(_SAMPLES, bool)
        for member in self._front:
            taken |= (member <= self._samples).all(axis=1)
        self._open = np.flatnonzero(~taken)
        self._volume = float(np.prod(self._reference - best)) / _SAMPLES
        self._dominates = np.ones((len(self._mean), _SAMPLES))
        for column in range(len(best)):
            self._dominates *= _within(
                self._samples[:, column], self._mean[:, column, None], self._deviation[:, column, None]
            )


def _below(
    borders: NDArray[np.float64], mean: NDArray[np.float64], deviation: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(k,) borders, (n, 1) normals -> (n, k): how far each is expected to lie below each border."""
    far = borders - mean
    if not deviation.any():
        return np.maximum(far, 0.0)
    spread = np.maximum(deviation, 1e-300)
    z = np.clip(far / spread, -40, 40)
    expected = far * ndtr(z) + spread * np.exp(-(z**2) / 2) / _ROOT
    return np.where(deviation > 0, np.maximum(expected, 0.0), np.maximum(far, 0.0))


def _within(
    borders: NDArray[np.float64], mean: NDArray[np.float64], deviation: NDArray[np.float64]
) -> NDArray[np.float64]:
    """As `_below`: the chance that each lies below each border."""
    far = borders - mean
    if not deviation.any():
        return (far >= 0).astype(float)
    spread = np.maximum(deviation, 1e-300)
    return np.where(deviation > 0, ndtr(np.clip(far / spread, -40, 40)), (far >= 0).astype(float))
