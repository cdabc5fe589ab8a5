"""A search space cut into bands of similar MACs, with architectures of each band to draw from. No torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.spaces import Arch, Archs, SearchSpace
from core.spaces.spread import candidates

_FEWEST, _PER_LISTED = 4096, 16

Costs = Callable[[Sequence[Sequence[int]]], NDArray[np.int64]]
"""Architectures -> their MACs."""


@dataclass(frozen=True, eq=False)
class Bands:
    """Bands of equal width over the range of MACs; bands without an architecture are left out.

    Attributes:
        low, high: (bands,) MACs between which each lies, both included.
        listed: of each band, (n, d) different architectures that compute something, the cheapest first.
        macs: of each band, (n,) theirs.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    listed: tuple[Archs, ...]
    macs: tuple[NDArray[np.int64], ...]

    @classmethod
    def of(
        cls, space: SearchSpace, macs: Costs, *, bands: int, listed: int, rng: np.random.Generator
    ) -> Bands:
        """Look a space through.

        Args:
            space: of any size.
            macs: its costs.
            bands: how many there are at most.
            listed: architectures of each band at most.
            rng: source of chance.
        """
        pool = candidates(space, max(_FEWEST, _PER_LISTED * bands * listed), rng)
        pool = pool[[space.computes(arch) for arch in pool.tolist()]]
        costs = macs(pool.tolist())
        edges = np.linspace(costs.min(), costs.max(), bands + 1)
        band = np.clip(np.searchsorted(edges, costs, side="right") - 1, 0, bands - 1)
        found = []
        for index in range(bands):
            own = np.flatnonzero(band == index)
            if not len(own):
                continue
            # The cheapest is always among them.
            first = own[[np.argmin(costs[own])]]
            kept = np.union1d(first, rng.permutation(own)[: listed - 1])
            kept = kept[np.argsort(costs[kept], kind="stable")]
            found.append((edges[index], edges[index + 1], pool[kept], costs[kept]))
        low, high, archs, theirs = zip(*found, strict=True)
        return cls(np.array(low), np.array(high), tuple(archs), tuple(theirs))

    def __len__(self) -> int:
        return len(self.listed)

    def cheapest(self, band: int) -> Arch:
        """The cheapest architecture of a band."""
        return _arch(self.listed[band][0])

    def draw(self, band: int, rng: np.random.Generator) -> Arch:
        """Any of the architectures of a band."""
        return _arch(self.listed[band][int(rng.integers(len(self.listed[band])))])


def _arch(row: NDArray[np.uint8]) -> Arch:
    return tuple(int(option) for option in row)
