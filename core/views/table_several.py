"""Several fronts of imported tables in one chart: one per column, per group of rows, or per table."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.library.imported_tables import TableRows
from core.records import Objective
from core.text import display_name
from core.views.several_fronts import MOST_FRONTS, FrontSeries, SeveralFronts, series_of
from core.words import format_count, within_sentence

MOST_ORDERED = 50_000
"""Rows whose order is compared; of more, evenly chosen ones."""
_NONE = "Choose one to {most} {what}."


def by_columns(rows: TableRows, across: Sequence[str], y: Objective) -> SeveralFronts:
    """The same rows by several objectives across: latency on one device and on another.

    Args:
        rows: the table.
        across: names of at least one objective, all of one direction.
        y: the objective up.

    Raises:
        InvalidInput: there are none, too many, or of different directions.
    """
    goals = [rows.goal(name) for name in dict.fromkeys(across) if name != y.name]
    if not goals or len(goals) > MOST_FRONTS or len({goal.maximize for goal in goals}) > 1:
        raise InvalidInput(
            f"Choose one to {MOST_FRONTS} objectives of which all are better small, or all large."
        )
    ids = _numbers(len(rows))
    series = tuple(_series(goal.name, goal.label, goal, y, ids, rows) for goal in goals)
    one_kind = len({(goal.unit, goal.shown) for goal in goals}) == 1
    alike = one_kind and _alike(series)
    said = () if alike else ("Each is drawn as a share of its largest value: units or sizes differ.",)
    return SeveralFronts(series, (not alike, False), True, said, _common(goals) if len(goals) > 1 else "")


def _common(goals: Sequence[Objective]) -> str:
    """The words that the names of all of them share: "cifar10 latency"."""
    words = [re.findall(r"[^\W_]+", goal.name) for goal in goals]
    shared = [word for word in words[0] if all(word in each for each in words)]
    return " ".join(dict.fromkeys(shared)) or "Cost"


def _alike(series: Sequence[FrontSeries]) -> bool:
    """Whether values are of one size, so that one axis shows them all; a column may not say its unit."""
    largest = [float(each.largest()[0]) for each in series]
    return max(largest) <= 100 * min(largest)


def by_group(rows: TableRows, groups: Sequence[str], x: Objective, y: Objective) -> SeveralFronts:
    """The rows of several groups by the same two objectives: a table in long form, a row per architecture and device.

    Args:
        rows: a table whose mapping names a column of groups.
        groups: values of that column.
        x, y: objectives.

    Raises:
        InvalidInput: there is no such column, there are none or too many groups, or one has no rows.
    """
    column = rows.mapping.group
    if not column:
        raise InvalidInput("No column of this table says which front a row belongs to.")
    if not groups or len(groups) > MOST_FRONTS:
        raise InvalidInput(_NONE.format(most=MOST_FRONTS, what="groups"))
    of = rows.frame[column].astype("str").to_numpy(object)
    ids = _identities(rows)
    series = []
    for group in groups:
        at = np.flatnonzero(of == group)
        if not len(at):
            raise InvalidInput(f"No row belongs to {group[:60]!r}.")
        series.append(_series(group, display_name(group, 60), x, y, ids[at], rows, at))
    unique = all(len(np.unique(each.ids.astype(str))) == len(each.ids) for each in series)
    said = (
        ()
        if unique
        else ("A name stands more than once in a group, so rows of different groups are not matched.",)
    )
    return SeveralFronts(tuple(series), (False, False), unique and bool(rows.mapping.identity), said)


def by_tables(
    tables: Sequence[tuple[str, str, TableRows]], x: str, y: str, *, normalized: bool = False
) -> SeveralFronts:
    """The fronts of several tables by the same two columns.

    Args:
        tables: (id, name, rows) of at least one.
        x, y: names of objectives that all of them have.
        normalized: draw shares of each table's own largest values.

    Raises:
        InvalidInput: there are none or too many, or one lacks an objective.
    """
    if not tables or len(tables) > MOST_FRONTS:
        raise InvalidInput(_NONE.format(most=MOST_FRONTS, what="tables"))
    series = []
    for key, name, rows in tables:
        known = {goal.name for goal in rows.goals}
        if missing := [each for each in (x, y) if each not in known]:
            raise InvalidInput(f"{display_name(name)} has no objective {missing[0][:60]!r}.")
        series.append(_series(key, display_name(name), rows.goal(x), rows.goal(y), _identities(rows), rows))
    named = all(rows.mapping.identity for _, _, rows in tables)
    unique = named and all(len(np.unique(each.ids.astype(str))) == len(each.ids) for each in series)
    said = (
        ()
        if unique
        else ("The rows of these tables have no names that tell them apart, so they are not matched.",)
    )
    return SeveralFronts(tuple(series), (normalized, normalized), unique, said)


def _series(
    key: str,
    label: str,
    x: Objective,
    y: Objective,
    ids: NDArray[np.object_],
    rows: TableRows,
    at: NDArray[np.int64] | None = None,
) -> FrontSeries:
    values = np.stack([rows.values[x.name], rows.values[y.name]], axis=1)
    stands = ~np.isnan(rows.standing((x.name, y.name))[:, 0])
    if at is not None:
        values, stands = values[at], stands[at]
    return series_of(key, label, x, y, ids, values, stands)


def _numbers(n: int) -> NDArray[np.object_]:
    return np.array([str(number) for number in range(1, n + 1)], object)


def _identities(rows: TableRows) -> NDArray[np.object_]:
    column = rows.mapping.identity
    return rows.frame[column].astype("str").fillna("").to_numpy(object) if column else _numbers(len(rows))


def sizes(view: SeveralFronts) -> list[dict[str, str]]:
    """How large each front is, and of how many rows."""
    found = []
    for series in view.series:
        known = int(np.isfinite(series.values).all(axis=1).sum())
        found.append(
            {
                "front": f"{series.label} / {within_sentence(series.y.label)}",
                "rows on the front": format_count(len(series.members)),
                "rows that count": format_count(known),
                "left off": format_count(len(series.values) - known),
            }
        )
    return found
