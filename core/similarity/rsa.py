"""RSA: do two layers order the pairs of samples alike, from most to least similar?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.similarity.base import MEASURES, Measure, Undefined
from core.similarity.centering import varying
from core.similarity.pairs import SamplePairs, above_diagonal, few_enough, inner_products

PLACE_BITS = 21  # enough for the pairs of 2,000 samples


def profile_correlations(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, n) correlations, across units, of every two samples of x, (n, p).

    A sample on which all units agree correlates with nothing: 0 with all others.
    """
    profiles = x - x.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(profiles, axis=1, keepdims=True)
    flat = lengths <= 1e-9 * np.abs(x).max(axis=1, keepdims=True)
    profiles /= np.where(flat, 1, lengths)
    profiles[flat[:, 0]] = 0
    correlations: NDArray[np.float64] = profiles @ profiles.T
    return correlations


def average_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks of at most 2^21 numbers from -1 to 1, 0 for the smallest.

    Numbers closer than 2^-36 count as equal, and equal numbers share the mean of their ranks. Otherwise
    rounding would decide: in a ReLU layer, all samples that excite the same single unit have one profile.
    """
    steps = np.rint(values * 2.0**36).astype(np.int64)
    # Value and place in one integer: sorting it is three times faster than finding the sorting order.
    keys = (steps << PLACE_BITS) | np.arange(len(values))
    keys.sort()
    order, ranked = keys & (2**PLACE_BITS - 1), keys >> PLACE_BITS
    places = np.arange(len(values), dtype=float)
    tied = np.flatnonzero(ranked[1:] == ranked[:-1])  # equal to the next
    if len(tied):
        new_run = np.flatnonzero(np.diff(tied) > 1)
        starts = tied[np.concatenate([[0], new_run + 1])]
        ends = tied[np.concatenate([new_run, [-1]])] + 1
        lengths = ends - starts + 1
        before = np.repeat(np.cumsum(lengths) - lengths, lengths)
        members = np.repeat(starts, lengths) + np.arange(lengths.sum()) - before
        places[members] = np.repeat((starts + ends) / 2, lengths)
    ranks = np.empty(len(values))
    ranks[order] = places
    return ranks


@MEASURES.register("rsa")
class RSA(Measure):
    """Rank correlation of the two layers' dissimilarities between samples."""

    label = "RSA (rank correlation of dissimilarities)"
    source = "Kriegeskorte, Mur, Bandettini, 'Representational similarity analysis', 2008"
    low = -1.0
    left = right = frozenset({"permutation", "scale"})
    ignores = (
        "How dissimilar two samples are: only the order of the pairs counts. It does see rotations and shifts, "
        "because samples are compared by the profile of their units."
    )
    distrust = (
        "With few units the profiles are short and their correlations coarse; many dead units make all "
        "profiles alike, and then tiny differences decide the order."
    )

    def least_samples(self, p: int, q: int) -> int:
        return 4

    def prepare(self, x: NDArray[np.float64]) -> SamplePairs:
        few_enough(len(x))
        varying(x)
        if x.shape[1] < 3:
            raise Undefined(
                f"{self.label} compares profiles of at least 3 units; this layer has {x.shape[1]}."
            )
        # Dissimilarity is one minus the correlation: both orders turned around correlate the same.
        ranks = average_ranks(above_diagonal(profile_correlations(x)))
        ranks -= ranks.mean()
        norm = np.linalg.norm(ranks)
        if not norm:
            raise Undefined(
                "All pairs of samples are equally dissimilar in this layer, so they have no order."
            )
        ranks /= norm * np.sqrt(2)  # every pair stands twice in the square matrix
        return SamplePairs(_square(ranks, len(x)))

    def shuffled(self, prepared: SamplePairs, order: NDArray[np.intp]) -> SamplePairs:
        return prepared.reordered(order)

    def compare(self, a: SamplePairs, b: SamplePairs) -> float:
        return float(self.matrix([a], [b])[0, 0])

    def matrix(self, rows: Sequence[SamplePairs], columns: Sequence[SamplePairs]) -> NDArray[np.float64]:
        return np.clip(inner_products(rows, columns), -1, 1)


def _square(above: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """The symmetric (n, n) matrix, zero on its diagonal, with these entries above it."""
    square = np.zeros((n, n))
    start = 0
    for i in range(n - 1):
        stop = start + n - 1 - i
        square[i, i + 1 :] = above[start:stop]
        start = stop
    square += square.T
    return square
