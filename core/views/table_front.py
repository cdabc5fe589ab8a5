"""The front of an imported table under limits: computed over all rows, drawn as the front and a sample of the rest.

A million rows are filtered and compared in whole; what is handed on to a chart are the front's rows and evenly chosen
others, as the kind of table that every figure of this project takes, so that nothing else knows where the rows came from.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.cache import kept
from core.library.evaluations import source_column
from core.library.fronts import Front
from core.library.imported_tables import TableRows, require_numbers
from core.pareto import (
    Constraint,
    hypervolume,
    knee_by_distance,
    knee_by_utility,
    non_dominated,
    reference_point,
    satisfies,
)
from core.records import Objective, Obtained, Source
from core.text import display_name
from core.words import count_of, format_count, format_value

if TYPE_CHECKING:
    import pandas as pd

MOST_DRAWN = 8_000
"""Rows beside the front that a chart draws."""
_STEPS = 40
_LONGEST_LITERAL = 4_000
_DEEPEST = 40


@dataclass(frozen=True, eq=False)
class TableFront:
    """A table's front.

    Attributes:
        front: as for a supernet; its table holds what is drawn. `arch_id` is the row's number in the file.
        at: (k,) positions of the front's rows, in order of the first objective.
        n_kept: rows that count and meet the limits.
        n_beyond: rows that count and do not meet them.
        n_off: rows without values that count.
        told: what somebody who looks at the chart must know, a sentence each.
    """

    front: Front
    at: NDArray[np.int64]
    n_kept: int
    n_beyond: int
    n_off: int
    told: tuple[str, ...]


def table_front(
    rows: TableRows,
    x: Objective,
    y: Objective,
    limits: Sequence[Constraint] = (),
    *,
    most: int = MOST_DRAWN,
) -> TableFront:
    """The front of two objectives of a table.

    Args:
        rows: the table.
        x, y: two of its objectives.
        limits: what rows must meet.
        most: rows drawn beside the front.

    Raises:
        InvalidInput: nothing counts in both objectives.
    """
    names, maximize = (x.name, y.name), [x.maximize, y.maximize]
    require_numbers(rows, names)
    points = rows.standing(names)
    known = np.isfinite(rows.values[x.name]) & np.isfinite(rows.values[y.name])
    meets = known & satisfies(rows.values, limits) if limits else known
    points[~meets] = np.nan
    at = np.flatnonzero(non_dominated(points, maximize=maximize))
    at = at[np.lexsort((points[at, 1], points[at, 0]))]
    reference = _reference(rows, x, y)
    table = drawn_rows(rows, _with_sample(at, np.flatnonzero(meets), most), at)
    members = drawn_rows(rows, at, at)
    values = points[at]
    knees = {}
    for label, find in (("distance", knee_by_distance), ("utility", knee_by_utility)):
        index = find(values, maximize=maximize) if len(values) else None
        if index is not None:
            knees[label] = str(at[index] + 1)
    volume = hypervolume(values, reference, maximize=maximize) if len(values) else 0.0
    front = Front(
        table=table,
        members=members,
        knees=knees,
        hypervolume=volume,
        reference=tuple(float(r) for r in reference),
        names=names,
        n_total=len(rows),
    )
    n_kept = int(meets.sum())
    told = [*rows.told(names)]
    if len(table) < n_kept:
        told.insert(0, _sampled(len(at), len(table) - len(at), n_kept))
    n_known = int(known.sum())
    return TableFront(front, at, n_kept, n_known - n_kept, len(rows) - n_known, tuple(told))


def _sampled(on_front: int, others: int, n: int) -> str:
    return (
        f"The chart draws the whole front ({count_of(on_front, 'row')}) and {format_count(others)} evenly chosen rows of the other "
        f"{format_count(n - on_front)}; front, knee, hypervolume and counts are of all of them."
    )


@kept(64, key=lambda rows, x, y: (rows.revision or id(rows), x.name, y.name))
def _reference(rows: TableRows, x: Objective, y: Objective) -> NDArray[np.float64]:
    """Of the whole table, so that hypervolumes under different limits compare."""
    points = rows.standing((x.name, y.name))
    points = points[np.isfinite(points).all(axis=1)]
    return reference_point(points, maximize=[x.maximize, y.maximize]) if len(points) else np.zeros(2)


def _with_sample(at: NDArray[np.int64], among: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Positions of the front's rows and of evenly chosen others, ascending."""
    if len(among) > most:
        among = among[np.linspace(0, len(among) - 1, most).astype(np.int64)]
    return np.union1d(at, among)


def drawn_rows(rows: TableRows, positions: NDArray[np.int64], on_front: NDArray[np.int64]) -> pd.DataFrame:
    """Rows as figures take them: `arch_id` (the row's number), `on_front`, a column per objective, and sources of guesses.

    Args:
        rows: the table.
        positions: of the rows.
        on_front: positions of the front's rows.
    """
    import pandas as pd

    columns: dict[str, object] = {
        "arch_id": np.array([str(position + 1) for position in positions.tolist()], object),
        "on_front": np.isin(positions, on_front),
    }
    for goal in rows.goals:
        columns[goal.name] = rows.values[goal.name][positions]
    for name, guessed in rows.guessed.items():
        ways = [str(Obtained(Source.MEASURED)), str(Obtained(Source.PREDICTED))]
        columns[source_column(name)] = np.where(guessed[positions], ways[1], ways[0]).astype(object)
    return pd.DataFrame(columns)


def stops(rows: TableRows, goal: Objective) -> list[float]:
    """Where a slider that limits an objective can stand: quantiles of its values, those that read alike only once."""
    return _stops(rows, goal)


@kept(512, key=lambda rows, goal: (rows.revision or id(rows), goal.name))
def _stops(rows: TableRows, goal: Objective) -> list[float]:
    values = rows.values[goal.name]
    values = values[np.isfinite(values)]
    if not len(values):
        return []
    if len(values) > 200_000:  # both ends exactly, the rest of a sample
        some = values[:: len(values) // 100_000]
        values = np.concatenate([some, [values.min(), values.max()]])
    found = np.quantile(values, np.linspace(0, 1, _STEPS + 1)).tolist()
    return sorted({format_value(value, goal): value for value in found}.values())


def wide(rows: TableRows, goal: Objective) -> bool:
    """Whether an axis of an objective is better drawn logarithmic."""
    found = stops(rows, goal)
    return bool(found) and not goal.maximize and found[0] > 0 and found[-1] > 20 * found[0]


# --- one row --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Standing:
    """How one row stands among all.

    Attributes:
        beaten_by: rows that beat it in both objectives of the axes; None where it has no values of both.
        ranks: per objective, (its place by this objective alone, rows that count there); rows of equal value share one.
        below, above: numbers of the front's rows next to it along the first objective, "" for none.
    """

    beaten_by: int | None
    ranks: Mapping[str, tuple[int, int]]
    below: str
    above: str


def standing_of(rows: TableRows, found: TableFront, x: Objective, y: Objective, row: int) -> Standing:
    """How a row stands.

    Args:
        rows: the table.
        found: the front of the axes.
        x, y: the axes.
        row: its position.
    """
    ranks = {}
    for goal in rows.goals:
        values = rows.values[goal.name]
        here = values[row]
        if np.isfinite(here):
            better = values > here if goal.maximize else values < here
            ranks[goal.name] = (int(better.sum()) + 1, int(np.isfinite(values).sum()))
    across, up = rows.values[x.name], rows.values[y.name]
    if x.name not in ranks or y.name not in ranks:
        return Standing(None, ranks, "", "")
    signs = [-1.0 if goal.maximize else 1.0 for goal in (x, y)]
    a, b = across * signs[0], up * signs[1]
    beats = (a <= a[row]) & (b <= b[row]) & ((a < a[row]) | (b < b[row]))
    for name in (x.name, y.name):
        if name in rows.guessed:
            beats &= ~rows.guessed[name]
    line = across[found.at]
    below = int(np.searchsorted(line, across[row])) - 1
    above = int(np.searchsorted(line, across[row], "right"))
    return Standing(
        int(beats.sum()),
        ranks,
        str(found.at[below] + 1) if below >= 0 else "",
        str(found.at[above] + 1) if above < len(line) else "",
    )


def row_of(rows: TableRows, number: str) -> int | None:
    """The position of a row by its number in the file, as links and charts have it; None where there is none."""
    return (
        int(number) - 1 if number.isdecimal() and len(number) < 10 and 0 < int(number) <= len(rows) else None
    )


def cells(rows: TableRows, row: int, columns: Sequence[str]) -> dict[str, str]:
    """Other columns of a row as text; a column without a value is left out."""
    found = {}
    for name in columns:
        one = rows.frame[name].iloc[row : row + 1]
        if one.notna().all():
            value = one.iat[0]
            found[name] = f"{value:.6g}" if isinstance(value, float) else str(value)
    return found


def choices(text: str) -> Mapping[str, str]:
    """The choices in a text that is a JSON object or a dictionary as Python writes it; empty for any other text."""
    bare = text.strip()
    if (
        not bare.startswith("{")
        or len(bare) > _LONGEST_LITERAL
        or bare.count("[") + bare.count("{") > _DEEPEST
    ):
        return {}
    try:
        found = json.loads(bare)
    except ValueError:
        try:
            found = ast.literal_eval(bare)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError, SystemError):
            return {}
    if not isinstance(found, dict):
        return {}
    return {display_name(name, 60): display_name(value, 120) for name, value in found.items()}
