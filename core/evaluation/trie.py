"""The evaluator's trie: architectures sorted so that what they share is computed once. No torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from core.supernets.base import Stage, Supernet

_DENSE = 1 << 16
"""Of so many combinations of options, each has a place of its own when keys are numbered; of more, they are sorted."""
_LARGEST_KEY = 1 << 62


@dataclass(frozen=True)
class Trie:
    """Architectures sorted so that equal prefixes of stage keys stand together.

    Attributes:
        order: (n,) positions in the rows that were given.
        codes: (stages, n) key number of each stage, -1 where it is the identity.
    """

    order: NDArray[np.int64]
    codes: NDArray[np.int32]

    @classmethod
    def of(cls, supernet: Supernet, rows: NDArray[np.uint8]) -> Trie:
        # Choice after choice in memory: each stage reads a few of them, of all rows.
        rows = np.asfortranarray(rows)
        codes = np.stack([_key_numbers(stage, rows) for stage in supernet.chain])
        order = _sorted_by(codes)
        return cls(order, np.ascontiguousarray(codes[:, order]))

    def groups(self, level: int, low: int, high: int) -> list[tuple[int, int]]:
        """Ranges within [low, high) that share their key at this level."""
        part = self.codes[level, low:high]
        cuts = (np.flatnonzero(part[1:] != part[:-1]) + (low + 1)).tolist()
        return list(zip([low, *cuts], [*cuts, high], strict=True))


def by_beginnings(supernet: Supernet, rows: NDArray[np.uint8], parts: int) -> list[NDArray[np.int64]]:
    """Positions of the architectures that share as few first stages as make so many parts, or all there are."""
    rows = np.asfortranarray(rows)
    numbers = np.zeros(len(rows), np.int64)
    for stage in supernet.chain:
        codes = _key_numbers(stage, rows)
        numbers = numbers * (int(codes.max(initial=-1)) + 2) + codes + 1
        there = np.flatnonzero(np.bincount(numbers))
        number = np.zeros(int(numbers.max(initial=0)) + 1, np.int64)
        number[there] = np.arange(len(there))
        numbers = number[numbers]
        if len(there) >= parts:
            break
    order = np.argsort(numbers, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1)


def _sorted_by(codes: NDArray[np.int32]) -> NDArray[np.int64]:
    """As `np.lexsort` with the first row deciding most; several times faster where rows are in some order already."""
    wanted = [int(row.max(initial=-1)) + 2 for row in codes]
    if math.prod(wanted) > _LARGEST_KEY:
        return np.lexsort(codes[::-1])
    keys = np.zeros(codes.shape[1], np.int64)
    for row, many in zip(codes, wanted, strict=True):
        keys *= many
        keys += row + 1
    return np.argsort(keys, kind="stable")


def _key_numbers(stage: Stage, rows: NDArray[np.uint8]) -> NDArray[np.int32]:
    """A number per row, equal exactly where the stage's keys are equal; -1 for the identity."""
    names = sorted(set(stage.depends_on), key=stage.space.position.__getitem__)
    columns = [stage.space.position[name] for name in names]
    if not columns:
        return np.zeros(len(rows), np.int32)
    first, inverse = _alike(rows, columns, [stage.space.cardinalities[column] for column in columns])
    numbers: dict[Any, int] = {None: -1}
    keys = [stage.key(rows[i].tolist()) for i in first]
    lookup = np.array([numbers.setdefault(key, len(numbers) - 1) for key in keys], np.int32)
    return lookup[inverse]


def _alike(
    rows: NDArray[np.uint8], columns: Sequence[int], options: Sequence[int]
) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """As `np.unique` of some columns: a row for each different one, and which of them each row is."""
    if math.prod(options) > min(_DENSE, len(rows)):
        # View each row's bytes as one value: sorting those is many times faster than sorting rows.
        packed = np.ascontiguousarray(rows[:, columns]).view(f"V{len(columns)}").ravel()
        _, first, inverse = np.unique(packed, return_index=True, return_inverse=True)
        return first, inverse
    codes = np.zeros(len(rows), np.int32)
    for column, many in zip(columns, options, strict=True):
        codes *= many
        codes += rows[:, column]
    place = np.full(math.prod(options), -1, np.int32)
    place[codes] = np.arange(len(rows))
    there = np.flatnonzero(place >= 0)
    number = np.zeros(len(place), np.int32)
    number[there] = np.arange(len(there))
    return place[there], number[codes]
