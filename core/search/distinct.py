"""Drawing architectures that have not been drawn before, down to the last one of a space.

Asking a supernet the same question twice teaches nothing, so every algorithm that draws at random
draws through this. Draws give each option of each choice the same chance and skip what was drawn
before. When nearly everything is known, skipping would go on for ever; then what is left is listed
instead, in random order, so that a small space is finished exactly.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from core.spaces import Arch, SearchSpace

# Rounds of draws that may bring nothing new before the rest of the space is listed.
_FRUITLESS_ROUNDS = 8
_FEWEST_DRAWS = 32
# Blocks of the listing; a space up to this size is listed in fully random order.
_BLOCK = 65_536


class DistinctDraws:
    """Architectures of a space, each given out once.

    Args:
        space: where to draw.
        rng: source of chance; shared with the caller, used only while drawing.
    """

    def __init__(self, space: SearchSpace, rng: np.random.Generator) -> None:
        self._space = space
        self._rng = rng
        self._taken: set[Arch] = set()
        self._rest: Iterator[Arch] | None = None

    def __len__(self) -> int:
        """Number of architectures given out or taken."""
        return len(self._taken)

    def __contains__(self, arch: object) -> bool:
        return arch in self._taken

    @property
    def exhausted(self) -> bool:
        """Whether no architecture is left."""
        return len(self._taken) >= self._space.size

    def take(self, arch: Arch) -> bool:
        """Mark a canonical architecture as given out; False if it was before."""
        before = len(self._taken)
        self._taken.add(arch)
        return len(self._taken) > before

    def draw(self, n: int) -> list[Arch]:
        """n new architectures; fewer only if the space has no more."""
        found: list[Arch] = []
        fruitless = 0
        while self._rest is None and len(found) < n and not self.exhausted:
            before = len(found)
            rows = self._space.sample_array(max(n - len(found), _FEWEST_DRAWS), self._rng)
            for arch in map(tuple, rows.tolist()):
                if len(found) < n and self.take(arch):
                    found.append(arch)
            fruitless = fruitless + 1 if len(found) == before else 0
            if fruitless == _FRUITLESS_ROUNDS:
                self._rest = self._listed()
        while self._rest is not None and len(found) < n:
            following = next(self._rest, None)
            if following is None:
                break
            if self.take(following):
                found.append(following)
        return found

    def _listed(self) -> Iterator[Arch]:
        for block in self._space.iter_arrays(_BLOCK):
            for row in block[self._rng.permutation(len(block))].tolist():
                yield tuple(row)
