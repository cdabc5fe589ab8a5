"""Distance correlation: do distances between samples rise and fall together in both layers?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.similarity.base import MEASURES, Measure
from core.similarity.centering import centered
from core.similarity.pairs import SamplePairs, double_centered, few_enough, inner_products, squared_distances


@MEASURES.register("distance_correlation")
class DistanceCorrelation(Measure):
    """Correlation of the distances between samples; zero only for independent layers."""

    label = "Distance correlation"
    source = "Székely, Rizzo, Bakirov, 'Measuring and testing dependence by correlation of distances', 2007"
    left = right = frozenset({"permutation", "scale", "translation", "orthogonal"})
    ignores = "Rotations, overall size and shifts of a layer."
    distrust = (
        "Few samples push it far above zero even for unrelated layers, and the more so the more units there "
        "are; look at the value for shuffled samples."
    )

    def least_samples(self, p: int, q: int) -> int:
        return 4

    def prepare(self, x: NDArray[np.float64]) -> SamplePairs:
        few_enough(len(x))
        distances = squared_distances(centered(x))
        double_centered(np.sqrt(distances, out=distances))
        distances /= np.linalg.norm(distances)
        return SamplePairs(distances)

    def shuffled(self, prepared: SamplePairs, order: NDArray[np.intp]) -> SamplePairs:
        return prepared.reordered(order)

    def compare(self, a: SamplePairs, b: SamplePairs) -> float:
        return float(self.matrix([a], [b])[0, 0])

    def matrix(self, rows: Sequence[SamplePairs], columns: Sequence[SamplePairs]) -> NDArray[np.float64]:
        # The square root of the ratio of squared distance covariances (definition 3 of the paper).
        return np.sqrt(np.clip(inner_products(rows, columns), 0, 1))
