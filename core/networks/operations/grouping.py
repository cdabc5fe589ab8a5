"""Groups of units, and how each axis of each tensor is made of them.

An axis is a row of pieces: all units of a group in order, each with so many entries, or entries that stay. What a
subnet keeps of it are the first entries of each piece.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.networks.operations.channels import Ids, Ties, Use

_ORDER = "its channels meet in different orders in different places"


@dataclass(frozen=True)
class Piece:
    """Consecutive entries of an axis.

    Attributes:
        group: whose units they are; None for entries that stay.
        units: number of units, all of the group; entries that stay count one by one.
        repeat: consecutive entries of one unit.
    """

    group: int | None
    units: int
    repeat: int = 1


Layout = tuple[Piece, ...]


@dataclass(frozen=True)
class Grouping:
    """The groups of a network.

    Attributes:
        sizes: units of each group.
        layouts: of each use, in their order.
        why: of the units that stay, the reasons by use.
        stuck: groups whose units cannot be removed by zeroing them.
    """

    sizes: tuple[int, ...]
    layouts: tuple[Layout, ...]
    why: dict[int, str]
    stuck: frozenset[int]


def grouping(uses: Sequence[Use], ties: Ties) -> Grouping:
    """Which units are one group, and the layout of every use.

    Units are one group if they occur in the same uses. Where they do so in different orders, they stay.
    """
    roots = [ties.roots(use.ids) for use in uses]
    pinned = dict(ties.pinned())
    while True:
        groups = _groups(roots, pinned)
        place = {root: (g, p) for g, group in enumerate(groups) for p, root in enumerate(group)}
        layouts, failed = [], set[int]()
        for row in roots:
            layout, lost = _layout(row, place, groups)
            layouts.append(layout)
            failed |= lost
        if not failed:
            break
        pinned |= {root: _ORDER for g in failed for root in groups[g]}
    why = {}
    for at, row in enumerate(roots):
        reasons = dict.fromkeys(pinned[root] for root in row.tolist() if root in pinned)
        if reasons:
            why[at] = next(iter(reasons))
    stuck = ties.stuck()
    return Grouping(
        tuple(len(group) for group in groups),
        tuple(layouts),
        why,
        frozenset(g for g, group in enumerate(groups) if stuck & set(group)),
    )


def _groups(roots: Sequence[Ids], pinned: dict[int, str]) -> list[list[int]]:
    seen: dict[int, list[int]] = {}
    for at, row in enumerate(roots):
        for root in dict.fromkeys(row.tolist()):
            seen.setdefault(root, []).append(at)
    groups: dict[tuple[int, ...], list[int]] = {}
    for root, uses in seen.items():
        if root not in pinned:
            groups.setdefault(tuple(uses), []).append(root)
    return list(groups.values())


def _layout(
    row: Ids, place: dict[int, tuple[int, int]], groups: Sequence[Sequence[int]]
) -> tuple[Layout, set[int]]:
    """The pieces of one axis, and the groups whose units do not lie there in order."""
    found, lost, at = list[Piece](), set[int](), 0
    where = [place.get(root) for root in row.tolist()]
    while at < len(where):
        here = where[at]
        if here is None:
            end = at
            while end < len(where) and where[end] is None:
                end += 1
            found.append(Piece(None, end - at))
            at = end
            continue
        group, size = here[0], len(groups[here[0]])
        repeat = 1
        while at + repeat < len(where) and where[at + repeat] == here:
            repeat += 1
        expected = np.repeat(groups[group], repeat)
        if here[1] == 0 and np.array_equal(row[at : at + len(expected)], expected):
            found.append(Piece(group, size, repeat))
            at += len(expected)
        else:
            lost.add(group)
            at += repeat
    return tuple(found), lost


def entries(layout: Layout) -> int:
    """Entries of a whole axis."""
    return sum(piece.units * piece.repeat for piece in layout)


def spans(layout: Layout, kept: Sequence[int]) -> list[tuple[int, int]]:
    """(start, length) of the entries that a subnet keeps of an axis.

    Args:
        layout: of the axis.
        kept: units of each group that stay.
    """
    found, start = list[tuple[int, int]](), 0
    for piece in layout:
        units = piece.units if piece.group is None else kept[piece.group]
        if found and sum(found[-1]) == start:
            found[-1] = (found[-1][0], found[-1][1] + units * piece.repeat)
        else:
            found.append((start, units * piece.repeat))
        start += piece.units * piece.repeat
    return found
