"""Evolution of expressions: tournaments, one changed node per child, the oldest leave; it starts from simple ones.

An algorithm without a clock and without files, as those of `core.search`: asked for a generation, told what each was
worth; built again with its seed and told the same, it goes on the same way.

Source: Real et al., "Regularized Evolution for Image Classifier Architecture Search", AAAI 2019, as in Liu et al., 2020.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.norm_search.expressions import STARTS, Tree, mutated
from core.seeding import stream

_TRIES = 60
_FEWEST_PARENTS = 2  # below that, children are those of simple expressions


class Evolution:
    """Proposes expressions, none twice.

    Args:
        population: expressions that may be parents; until two can be trained, simple ones are changed.

        children: of each later generation.
        tournament: contestants for a parent.
        seed: decides every draw.
    """

    def __init__(self, *, population: int, children: int, tournament: int, seed: int) -> None:
        self._sizes = (population, children, tournament)
        self._rng = stream(seed, "norm", "evolution")
        self._seen: set[Tree] = set()
        self._living: list[tuple[float, Tree]] = []

    def ask(self) -> list[Tree]:
        """The next generation."""
        population, children, _ = self._sizes
        if len(self._living) < _FEWEST_PARENTS:
            return [self._new(None) for _ in range(population - len(self._living))]
        return [self._new(self._parent()) for _ in range(children)]

    def tell(self, told: Sequence[tuple[Tree, float | None]]) -> None:
        """Expressions with their accuracies; None for a rejected one, which is never a parent."""
        self._living += [(worth, tree) for tree, worth in told if worth is not None]
        self._living = self._living[-self._sizes[0] :]

    def _parent(self) -> Tree:
        contestants = self._rng.integers(len(self._living), size=self._sizes[2])
        return max((self._living[i] for i in contestants.tolist()), key=lambda pair: pair[0])[1]

    def _new(self, parent: Tree | None) -> Tree:
        tree = parent
        for _ in range(_TRIES):
            # One that was tried is changed once more.
            tree = mutated(tree or STARTS[int(self._rng.integers(len(STARTS)))], self._rng)
            if tree not in self._seen:
                break
        assert tree is not None
        self._seen.add(tree)
        return tree
