"""Do two transformers' layers have the same attention heads? Linear CKA between heads, and the best one-to-one matching.

A head has several numbers per token, in a basis of its own that the projection behind it undoes, so heads are compared
as layers are, by a measure that no rotation changes, and not number by number as units are. What is left over where one
layer has more heads than the other is listed, never matched.

Source: Kornblith et al., Similarity of neural network representations revisited, ICML 2019 (linear CKA, here between
heads); Li et al., Convergent Learning, ICLR 2016 (bipartite matching); the combination is ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.seeding import stream
from core.similarity.base import Undefined, different_rows
from core.similarity.matching import Matching, match

LEAST_ROWS = 8
_CONSTANT = 1e-12


@dataclass(frozen=True, eq=False)
class HeadMatch:
    """How heads of two layers go together.

    Attributes:
        values: (heads_a, heads_b) linear CKA, 0 to 1; 0 for a head that puts out the same everywhere.
        matching: greedy and one to one, over all heads.
        chance: mean and standard deviation of the mean matched value where the rows of B are shuffled.
    """

    values: NDArray[np.float64]
    matching: Matching
    chance: tuple[float, float]

    @property
    def left_over(self) -> tuple[list[int], list[int]]:
        """Heads of A and of B without a partner, because the other layer has fewer."""
        a, b = (set(range(n)) for n in self.values.shape)
        return sorted(a - set(self.matching.rows.tolist())), sorted(b - set(self.matching.columns.tolist()))


def head_match(
    x: NDArray[np.floating], y: NDArray[np.floating], *, permutations: int = 10, seed: int = 0
) -> HeadMatch:
    """Match the heads of two layers on the same rows.

    Args:
        x: (rows, heads_a, size_a) what the heads put out; sizes may differ.
        y: (rows, heads_b, size_b).
        permutations: of the rows, for what chance gives.
        seed: of these.

    Raises:
        Undefined: rows differ in number or are fewer than `LEAST_ROWS`, or every head of a layer is constant.
        InvalidInput: these are no outputs of heads.
    """
    if x.ndim != 3 or y.ndim != 3:
        raise InvalidInput("Outputs of heads are rows by heads by numbers of a head.")
    if len(x) != len(y):
        raise Undefined(different_rows(len(x), len(y)))
    if len(x) < LEAST_ROWS:
        raise Undefined(f"Heads are compared on at least {LEAST_ROWS} rows; there are {len(x)}.")
    a, b = _unit(x), _unit(y)
    if not a.any() or not b.any():
        raise Undefined("Every head of this layer puts out the same on all of these samples.")
    values = _cka(a, b)
    rng = stream(seed, "chance heads")
    shuffled = [match(_cka(a, b[rng.permutation(len(b))])).mean for _ in range(permutations)]
    spread = float(np.std(shuffled, ddof=1)) if permutations > 1 else 0.0
    return HeadMatch(values, match(values), (float(np.mean(shuffled)), spread))


def _unit(x: NDArray[np.floating]) -> NDArray[np.float64]:
    """Heads centered, each scaled so that the inner products of its rows have norm one; zero where it is constant."""
    moved = x.astype(np.float64) - x.mean(0, dtype=np.float64)
    within = np.einsum("rhp,rhq->hpq", moved, moved)
    norms = np.sqrt(np.linalg.norm(within, axis=(1, 2)))
    sizes = np.abs(x).max(axis=(0, 2)).astype(np.float64)
    live = norms > _CONSTANT + 1e-7 * sizes * np.sqrt(len(x))
    scale = np.divide(1.0, norms, out=np.zeros_like(norms), where=live)
    return np.asarray(moved * scale[:, None])


def _cka(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """(heads_a, heads_b) squared norms of the products between heads' numbers (eq. 3 and 5 of Kornblith et al.)."""
    rows, heads_a, p = a.shape
    heads_b, q = b.shape[1:]
    products = (a.reshape(rows, -1).T @ b.reshape(rows, -1)).reshape(heads_a, p, heads_b, q)
    return np.asarray(np.clip(np.square(products).sum(axis=(1, 3)), 0.0, 1.0))
