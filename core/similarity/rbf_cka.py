"""CKA with a Gaussian kernel: do two layers agree about which samples are close neighbors?"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.config import BaseConfig
from core.similarity.base import MEASURES, Measure, Undefined
from core.similarity.centering import centered
from core.similarity.pairs import (
    SamplePairs,
    above_diagonal,
    double_centered,
    few_enough,
    inner_products,
    squared_distances,
)


class KernelSettings(BaseConfig):
    """How wide the kernel is."""

    factor: float = Field(
        1.0, ge=0.1, le=2, title="Kernel width, in median distances (published: 0.2, 0.4, 0.8, 1)"
    )


@MEASURES.register("cka_rbf")
class RBFCKA(Measure):
    """CKA with a Gaussian kernel as wide as the median distance between samples."""

    label = "CKA (Gaussian kernel)"
    source = "Kornblith et al., ICML 2019, section 3; biased HSIC of Gretton et al., ALT 2005"
    Config = KernelSettings
    left = right = frozenset({"permutation", "scale", "translation", "orthogonal"})
    ignores = (
        "Rotations, overall size and shifts; with a narrow kernel also how far apart distant samples are, "
        "since all of them count as simply not alike."
    )
    distrust = (
        "A narrow kernel on few samples makes every layer look like every other, since each sample is then "
        "near itself alone; look at the value for shuffled samples."
    )

    def least_samples(self, p: int, q: int) -> int:
        return 4

    def prepare(self, x: NDArray[np.float64]) -> SamplePairs:
        few_enough(len(x))
        kernel = squared_distances(centered(x))
        pairs = above_diagonal(kernel)
        # The root of the middle square is the median distance but for the mean of an even number.
        half = len(pairs) // 2
        low = np.partition(pairs, half)
        median = math.sqrt(low[half])
        if len(pairs) % 2 == 0:
            median = (median + math.sqrt(low[:half].max())) / 2
        if not median:
            raise Undefined("More than half of the sample pairs are identical to this layer.")
        kernel /= -2 * (self.config.factor * median) ** 2
        np.exp(kernel, out=kernel)
        double_centered(kernel)
        kernel /= np.linalg.norm(kernel)
        return SamplePairs(kernel)

    def shuffled(self, prepared: SamplePairs, order: NDArray[np.intp]) -> SamplePairs:
        return prepared.reordered(order)

    def compare(self, a: SamplePairs, b: SamplePairs) -> float:
        return float(self.matrix([a], [b])[0, 0])

    def matrix(self, rows: Sequence[SamplePairs], columns: Sequence[SamplePairs]) -> NDArray[np.float64]:
        return np.clip(inner_products(rows, columns), 0, 1)
