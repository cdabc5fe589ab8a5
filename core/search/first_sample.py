"""What a search measures first, when it knows nothing.

A trie: few beginnings of the network with several endings each. The evaluator computes a beginning once, so this costs
less than as many architectures at random, and shows as much of what the endings do.
"""

from __future__ import annotations

import numpy as np

from core.search.distinct import DistinctDraws
from core.spaces import Arch, Archs, SearchSpace

ENDINGS = 5
CUT = 2 / 3
"""Where beginnings end, as a share of the choices in the order of the network."""
_ROUNDS = 4


def trie_sample(space: SearchSpace, draws: DistinctDraws, n: int, rng: np.random.Generator) -> list[Arch]:
    """The smallest and the largest architecture, then n / 5 random beginnings with five random endings each.

    Returns:
        n architectures that were not drawn before; fewer only if the space has no more. Beginnings with too few
        endings are made up for by random architectures.
    """
    found = draws.admit((space.ends or ())[:n])
    beginnings = -(-(n - len(found)) // ENDINGS)
    for beginning in space.sample_array(max(beginnings, 0), rng):
        wanted = min(ENDINGS, n - len(found))
        for _ in range(_ROUNDS):
            ended = with_endings(space, beginning[None], wanted, rng)
            new = draws.admit(map(tuple, ended.tolist()))
            found += new
            wanted -= len(new)
            if not wanted:
                break
    return found + draws.draw(n - len(found))


def with_endings(space: SearchSpace, rows: Archs, endings: int, rng: np.random.Generator) -> Archs:
    """(n, d) architectures -> (n * endings, d): each with the last third of the choices it has drawn anew, so often."""
    many = np.repeat(rows, endings, axis=0)
    active = space.active(many).cumsum(axis=1)
    last = active > np.minimum(np.round(CUT * active[:, -1:]), active[:, -1:] - 1)
    drawn = rng.integers(0, space.cardinalities, size=many.shape)
    return space.canonicalize(np.where(last, drawn, many))
