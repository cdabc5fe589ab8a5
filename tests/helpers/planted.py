"""Search problems whose answers are known without any network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.records import Measurement, Objective, Source
from core.spaces import Arch, Archs, Choice, SearchSpace

QUALITY = Objective("quality", "Quality", "", True, Source.MEASURED, "Larger is better.")
COST = Objective("cost", "Cost", "", False, Source.COUNTED, "Smaller is better.")


def small_space() -> SearchSpace:
    """36 architectures: two widths matter only in deep enough ones, and one choice is none."""
    return SearchSpace(
        [
            Choice("depth", (1, 2, 3)),
            Choice("width1", (4, 8)),
            Choice("width2", (4, 8), requires=("depth", (1, 2))),
            Choice("width3", (4, 8, 16), requires=("depth", (2,))),
            Choice("operation", ("conv", "pool"), ordinal=False),
            Choice("fixed", (7,)),
        ]
    )


def large_space(blocks: int = 10) -> SearchSpace:
    """More than 10^8 architectures: a depth, and a kernel and a width per block."""
    choices = [Choice("depth", tuple(range(2, blocks + 1)))]
    for block in range(blocks):
        matters = None if block < 2 else ("depth", tuple(range(block - 1, blocks - 1)))
        choices += [
            Choice(f"kernel{block}", (3, 5, 7), requires=matters),
            Choice(f"width{block}", (8, 12, 16), requires=matters),
        ]
    return SearchSpace(choices)


def flat_space(n: int = 14) -> SearchSpace:
    """4.8 million architectures (for 14 choices), every choice of which always matters."""
    return SearchSpace([Choice(f"choice{index}", (0, 1, 2)) for index in range(n)])


class Planted:
    """Quality and cost that are sums over the choices that matter, drawn once from a fixed seed.

    Every option has a cost that grows with its index, and a quality; so the front is a curve that a
    random architecture is far from.
    """

    def __init__(self, space: SearchSpace, seed: int = 7) -> None:
        rng = np.random.default_rng(seed)
        shape = (len(space), max(space.cardinalities))
        self.space = space
        self._cost = rng.uniform(0.2, 1, shape).cumsum(axis=1)
        self._quality = rng.uniform(0, 1, shape)
        self.reference = (0.0, float(self._cost[:, -1].sum()) * 1.1)

    def values(self, arch: Arch) -> dict[str, float]:
        matters = [i for i, name in enumerate(self.space.names) if self.space.is_active(arch, name)]
        picked = [arch[i] for i in matters]
        return {
            "quality": float(self._quality[matters, picked].sum()),
            "cost": float(self._cost[matters, picked].sum()),
        }

    def counted(self, rows: Archs) -> dict[str, np.ndarray]:
        """The cost of (n, d) architectures, as it is known before anything is measured."""
        picked = self._cost[np.arange(len(self.space)), rows]
        return {"cost": (picked * self.space.active(rows)).sum(axis=1)}

    def measure(self, archs: Sequence[Arch]) -> list[Measurement]:
        return [Measurement(arch, self.values(arch)) for arch in archs]
