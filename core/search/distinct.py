"""Drawing architectures that have not been drawn before, down to the last one of a space.

Asking a supernet the same question twice teaches nothing, and what breaks a bound that is known beforehand is not
worth measuring, so every algorithm that draws at random draws through this. Draws give each option of each choice
the same chance and skip what was drawn before or breaks a bound. When that brings nothing any more, what is left is
listed instead, in random order, so that a small space is finished exactly; a space too large to list is walked
through from what keeps the bounds (see `core.search.feasible`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from core.search.feasible import LARGEST_LISTED, feasible_in_random_order, walked
from core.search.problem import Problem
from core.spaces import Arch, Archs

# Rounds of draws that may bring nothing new before the rest of the space is listed.
_FRUITLESS_ROUNDS = 8
_FEWEST_DRAWS = 32
# Draws of a round where few keep the bounds.
_MOST_DRAWS = 4096
# Blocks of the listing; a space up to this size is listed in fully random order.
_BLOCK = 65_536


class DistinctDraws:
    """Architectures of a space that keep the bounds known beforehand, each given out once.

    Args:
        problem: where to draw, and which bounds hold.
        rng: source of chance; shared with the caller, used only while drawing.
    """

    def __init__(self, problem: Problem, rng: np.random.Generator) -> None:
        self._problem = problem
        self._space = problem.space
        self._rng = rng
        self._taken: dict[Arch, None] = {}
        self._rest: Iterator[Arch] | None = None
        self._finished = False

    def __len__(self) -> int:
        """Number of architectures given out or taken."""
        return len(self._taken)

    def __contains__(self, arch: object) -> bool:
        return arch in self._taken

    @property
    def exhausted(self) -> bool:
        """Whether it is known that no architecture is left."""
        return self._finished or len(self._taken) >= self._space.size

    def take(self, arch: Arch) -> bool:
        """Mark a canonical architecture as given out, whatever its bounds; False if it was before."""
        before = len(self._taken)
        self._taken[arch] = None
        return len(self._taken) > before

    def admit(self, archs: Iterable[Arch]) -> list[Arch]:
        """Mark those canonical architectures that may be proposed and return them: new ones that keep the bounds."""
        fresh = [arch for arch in dict.fromkeys(archs) if arch not in self._taken]
        if self._problem.bounds_known and fresh:
            fits = self._problem.feasible(np.array(fresh, np.uint8)).tolist()
            fresh = [arch for arch, fit in zip(fresh, fits, strict=True) if fit]
        self._taken.update(dict.fromkeys(fresh))
        return fresh

    def draw(self, n: int) -> list[Arch]:
        """n new architectures; fewer only if no more are left."""
        found: list[Arch] = []
        fruitless, at_once = 0, _FEWEST_DRAWS
        while self._rest is None and len(found) < n and not self.exhausted:
            before = len(found)
            for arch in map(tuple, self._drawn(max(n - len(found), at_once)).tolist()):
                if len(found) < n and self.take(arch):
                    found.append(arch)
            fruitless = fruitless + 1 if len(found) == before else 0
            if self._problem.bounds_known:
                at_once = min(2 * at_once, _MOST_DRAWS)
            if fruitless == _FRUITLESS_ROUNDS:
                self._rest = self._listed()
        while self._rest is not None and len(found) < n:
            following = next(self._rest, None)
            if following is None:
                self._finished = True
                break
            if self.take(following):
                found.append(following)
        return found

    def _drawn(self, n: int) -> Archs:
        rows = self._space.sample_array(n, self._rng)
        return rows[self._problem.feasible(rows)] if self._problem.bounds_known else rows

    def _listed(self) -> Iterator[Arch]:
        if not self._problem.bounds_known:
            return self._whole_space()
        if self._space.size <= LARGEST_LISTED:
            return feasible_in_random_order(self._problem, self._rng)
        return walked(self._problem, list(self._taken), self._rng)

    def _whole_space(self) -> Iterator[Arch]:
        for block in self._space.iter_arrays(_BLOCK):
            for row in block[self._rng.permutation(len(block))].tolist():
                yield tuple(row)
