"""Equally good subnets: everything within a tolerance of the best, and how differently its members decide.

A supernet's complete table *is* such a set, known exactly, where others have to search for one. Inspired by
Li et al., "Exploring the cloud of feature interaction scores in a Rashomon set", ICLR 2024 (the set, the
swarm, interactions as joint minus single effects; here over choices of the architecture instead of input
features) and Marx, Calmon, Ustun, "Predictive multiplicity in classification", ICML 2020 (ambiguity and
discrepancy, as defined there).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import InvalidInput
from core.spaces import SearchSpace

# Accuracies are counts divided by n: equal ones may differ in the last digit.
_EQUAL = 1e-9


def rashomon_set(accuracy: ArrayLike, tolerance: float) -> NDArray[np.intp]:
    """Rows whose accuracy is at most `tolerance` below the best, best first, equal ones in their own order.

    Args:
        accuracy: (m,) fractions; NaN is never a member.
        tolerance: a fraction, at least 0. With 0 the best and its ties remain.

    Raises:
        InvalidInput: nothing was measured, or the tolerance is negative.
    """
    values = np.asarray(accuracy, dtype=np.float64)
    if not np.isfinite(values).any():
        raise InvalidInput("No subnet was measured.")
    if not tolerance >= 0:
        raise InvalidInput("A tolerance cannot be negative.")
    members = np.flatnonzero(values >= np.nanmax(values) - tolerance - _EQUAL)
    return members[np.argsort(-values[members], kind="stable")]


@dataclass(frozen=True, eq=False)
class Multiplicity:
    """How differently the members of a set decide on n samples.

    Attributes:
        ambiguity: share of samples on which some member contradicts the reference.
        discrepancy: largest share of samples on which one single member contradicts the reference.
        pairwise: share of samples on which two members disagree, the mean over all pairs.
        contested: (n,) share of members that contradict the reference.
        rival: (n,) the class most members that contradict it choose; the reference's own where none does.
    """

    ambiguity: float
    discrepancy: float
    pairwise: float
    contested: NDArray[np.float64]
    rival: NDArray[np.int64]


def multiplicity(predictions: ArrayLike, reference: ArrayLike, n_classes: int) -> Multiplicity:
    """Compare decisions of members with a reference's and with each other's.

    Args:
        predictions: (m, n) predicted classes of m members.
        reference: (n,) predicted classes of the reference model.
        n_classes: how many classes there are.

    Raises:
        InvalidInput: no members or no samples.

    Source:
        Marx, Calmon, Ustun, 2020 (ambiguity and discrepancy over a level set).
    """
    votes, own = np.asarray(predictions, dtype=np.int64), np.asarray(reference, dtype=np.int64)
    if votes.ndim != 2 or not votes.size or own.shape != votes.shape[1:]:
        raise InvalidInput("There are no decisions to compare.")
    against = votes != own
    m, n = votes.shape
    counts = np.stack([(votes == k).sum(0) for k in range(n_classes)])
    agreeing = (counts * (counts - 1)).sum(0) / max(1, m * (m - 1))
    others = counts.copy()
    others[own, np.arange(n)] = 0
    rival = np.where(others.max(0) > 0, others.argmax(0), own)
    return Multiplicity(
        float(against.any(0).mean()),
        float(against.mean(1).max()),
        float(1.0 - agreeing.mean()) if m > 1 else 0.0,
        against.mean(0),
        rival,
    )


class CompleteTable:
    """Looks accuracies of architectures up in a table that holds every one of a space.

    Args:
        space: the search space.
        rows: (m, d) canonical option indices, every architecture once.
        accuracy: (m,) fractions.

    Raises:
        InvalidInput: the table is not complete.
    """

    def __init__(self, space: SearchSpace, rows: NDArray[np.uint8], accuracy: ArrayLike) -> None:
        if len(rows) != space.size:
            raise InvalidInput(
                "Importances need the complete table of the space: evaluate the whole space first."
            )
        self.space, self.rows = space, rows
        self.accuracy = np.asarray(accuracy, dtype=np.float64)
        packed = self._packed(rows)
        self._order = np.argsort(packed)
        self._sorted = packed[self._order]

    def of(self, rows: NDArray[np.uint8]) -> NDArray[np.float64]:
        """(k,) accuracies of canonical architectures (k, d)."""
        at = np.searchsorted(self._sorted, self._packed(rows))
        return np.asarray(self.accuracy[self._order[at]])

    def _packed(self, rows: NDArray[np.uint8]) -> NDArray[np.void]:
        return np.ascontiguousarray(rows).view(f"V{rows.shape[1]}").ravel()

    def drops(self, member: NDArray[np.uint8], changed: Sequence[int]) -> float:
        """Mean fall of the accuracy when the given choices all take other options; NaN if they do not matter."""
        position = [range(len(self.space.choices[c].options)) for c in changed]
        alternatives = [
            [o for o in options if o != member[c]] for c, options in zip(changed, position, strict=True)
        ]
        if not all(alternatives) or not all(
            self.space.is_active(tuple(member.tolist()), self.space.names[c]) for c in changed
        ):
            return float("nan")
        grid = np.stack(np.meshgrid(*alternatives, indexing="ij"), axis=-1).reshape(-1, len(changed))
        rows = np.repeat(member[None], len(grid), axis=0)
        rows[:, list(changed)] = grid
        here = self.of(self.space.canonicalize(member[None]))[0]
        return float(here - self.of(self.space.canonicalize(rows)).mean())


def importances(table: CompleteTable, members: ArrayLike) -> NDArray[np.float64]:
    """How much each choice matters to each member.

    Args:
        table: every architecture's accuracy.
        members: (m,) row numbers.

    Returns:
        (m, d) mean fall of the accuracy over the other options of one choice, everything else as it is; NaN
        where a choice does not matter. Negative: another option would have been better on average.
    """
    rows = table.rows[np.asarray(members, dtype=np.intp)]
    return np.array([[table.drops(row, [c]) for c in range(rows.shape[1])] for row in rows])


def interactions(table: CompleteTable, members: ArrayLike) -> NDArray[np.float64]:
    """(d, d) mean interaction score of each pair of choices over the members; NaN where there is none.

    The score of a pair is the fall when both change minus the falls when either changes alone: 0 where
    choices add up, positive where losing both hurts more than the sum.

    Source:
        Li et al., 2024 (feature interaction score: joint effect minus single effects), over choices.
    """
    rows = table.rows[np.asarray(members, dtype=np.intp)]
    d = rows.shape[1]
    single = np.array([[table.drops(row, [c]) for c in range(d)] for row in rows])
    found = np.full((d, d), np.nan)
    for i in range(d):
        for j in range(i + 1, d):
            joint = np.array([table.drops(row, [i, j]) for row in rows])
            scores = joint - single[:, i] - single[:, j]
            if np.isfinite(scores).any():
                found[i, j] = found[j, i] = float(scores[np.isfinite(scores)].mean())
    return found
