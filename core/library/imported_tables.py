"""Imported tables as views take them: columns as the library keeps them, objectives with the values that count."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.errors import DamagedArtifact, InvalidInput
from core.library.table_mapping import LeftOff, TableMapping, counted, described, may_stand
from core.pareto import non_dominated
from core.records import Objective, Obtained, Source

if TYPE_CHECKING:
    import pandas as pd

ON_FRONT, SOURCE = "on_front", "source"


@dataclass(frozen=True, eq=False)
class TableRows:
    """An imported table.

    Attributes:
        frame: every column of the file, plain; nobody writes into it.
        mapping: what the columns mean.
        goals: the objectives.
        values: (n,) per objective, in the file's unit; not a number where a value does not count.
        guessed: (n,) per objective that has values which may not stand on a front: which those are.
        left: per objective, what does not count.
        revision: changes whenever anything of this does.
    """

    frame: pd.DataFrame
    mapping: TableMapping
    goals: tuple[Objective, ...]
    values: Mapping[str, NDArray[np.float64]]
    guessed: Mapping[str, NDArray[np.bool_]]
    left: Mapping[str, LeftOff]
    revision: str = field(default="")

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def memory(self) -> int:
        """Bytes it takes, about."""
        frame = int(self.frame.memory_usage(deep=False).sum())
        return frame + sum(values.nbytes for values in self.values.values())

    def goal(self, name: str) -> Objective:
        """The objective of a column.

        Raises:
            InvalidInput: it is none.
        """
        for goal in self.goals:
            if goal.name == name:
                return goal
        raise InvalidInput(f"This table has no objective called {name[:60]!r}.")

    def standing(self, names: Sequence[str]) -> NDArray[np.float64]:
        """(n, m) values that may stand on a front of these objectives; a whole row is no number where one is missing."""
        points = np.stack([self.values[name] for name in names], axis=1)
        # Column by column, as numpy is slow along short rows.
        off = np.zeros(len(self), bool)
        for name in names:
            off |= ~np.isfinite(self.values[name])
            if name in self.guessed:
                off |= self.guessed[name]
        points[off] = np.nan
        return points

    def told(self, names: Sequence[str]) -> list[str]:
        """A sentence for each objective of which rows are left off."""
        return [said for name in names if (said := self.left[name].sentence(self.goal(name).label))]

    def identity(self, row: int) -> str:
        """What a row is called: its own text, or its number in the file."""
        column = self.mapping.identity
        if not column or self.frame[column].isna().iat[row]:
            return f"row {row + 1}"
        return str(self.frame[column].iat[row])


def rows_of(data: bytes, mapping: TableMapping, revision: str = "") -> TableRows:
    """A kept table with what its columns mean.

    Args:
        data: Parquet, as `core.library.foreign_tables.decoding` made it.
        mapping: what the columns mean.
        revision: of both.

    Raises:
        DamagedArtifact: the file cannot be read.
        InvalidInput: the mapping is of another table.
    """
    import pandas as pd

    try:
        frame = pd.read_parquet(io.BytesIO(data))
    except MemoryError:
        raise
    except Exception as error:  # pyarrow raises many kinds; all mean the same here
        raise DamagedArtifact("The kept table cannot be read any more; import its file again.") from error
    mapping.checked([str(name) for name in frame.columns])
    values: dict[str, NDArray[np.float64]] = {}
    guessed: dict[str, NDArray[np.bool_]] = {}
    left: dict[str, LeftOff] = {}
    for each in mapping.objectives:
        stands = may_stand(frame[mapping.source], each.column) if mapping.source else None
        values[each.column], left[each.column] = counted(frame[each.column], each, stands)
        if not each.how.may_stand:
            guessed[each.column] = np.ones(len(frame), bool)
        elif stands is not None and not stands.all():
            guessed[each.column] = ~stands
    goals = tuple(described(each, values[each.column]) for each in mapping.objectives)
    return TableRows(frame, mapping, goals, values, guessed, left, revision)


def front_table(rows: TableRows, names: Sequence[str], *, members_only: bool = False) -> pd.DataFrame:
    """The rows that count in all these objectives, with a column `on_front`; as every export and the command line have it.

    Args:
        rows: the table.
        names: at least one objective.
        members_only: the front alone.

    Raises:
        InvalidInput: no row has values that count in all of them.

    Returns:
        The column that names the architecture, the objectives, `on_front`, `source`, then the other columns, in the
        file's order of rows.
    """
    require_numbers(rows, names)
    points = rows.standing(names)
    on_front = non_dominated(points, maximize=[rows.goal(name).maximize for name in names])
    values = np.stack([rows.values[name] for name in names], axis=1)
    kept = on_front if members_only else np.isfinite(values).all(axis=1)
    return _as_written(rows, np.flatnonzero(kept), on_front, names)


def rows_written(
    rows: TableRows, at: Sequence[int] | NDArray[np.int64], on_front: Sequence[int], names: Sequence[str]
) -> pd.DataFrame:
    """Some rows, in this order, as `front_table` has them.

    Args:
        rows: the table.
        at: positions of the rows.
        on_front: positions of the front's rows.
        names: objectives of the front.
    """
    marked = np.zeros(len(rows), bool)
    marked[list(on_front)] = True
    return _as_written(rows, np.asarray(at, np.int64), marked, names)


def require_numbers(rows: TableRows, names: Sequence[str]) -> None:
    """Refuse objectives of which there is nothing to make a front of.

    Raises:
        InvalidInput: no row has values that count in all of them; the sentence says of which.
    """
    known = [np.isfinite(rows.values[name]) for name in names]
    for name, there in zip(names, known, strict=True):
        if not there.any():
            raise InvalidInput(f"Column {name[:60]!r} has no number that counts; choose another objective.")
    if not np.logical_and.reduce(known).any():
        raise InvalidInput("No row has values of all these objectives; choose other ones.")


def _as_written(
    rows: TableRows, at: NDArray[np.int64], on_front: NDArray[np.bool_], names: Sequence[str]
) -> pd.DataFrame:
    import pandas as pd

    frame, mapping = rows.frame, rows.mapping
    columns: dict[str, object] = {}
    if mapping.identity:
        columns[mapping.identity] = frame[mapping.identity].to_numpy(object)[at]
    else:
        columns["row"] = at + 1
    for name in names:
        columns[name] = _whole(rows.values[name][at], frame[name])
    columns[ON_FRONT] = on_front[at]
    columns[SOURCE] = _sources(rows, names)[at]
    for name in map(str, frame.columns):
        if name not in columns:
            columns[name] = frame[name].to_numpy()[at]
    return pd.DataFrame(columns)


def _whole(values: NDArray[np.float64], column: pd.Series) -> NDArray[np.float64] | NDArray[np.int64]:
    """Counts stay whole numbers."""
    return values.astype(np.int64) if column.dtype.kind == "i" and np.isfinite(values).all() else values


def _sources(rows: TableRows, names: Sequence[str]) -> NDArray[np.object_]:
    """How the values of each row were obtained, as far as the table says it."""
    if rows.mapping.source:
        return rows.frame[rows.mapping.source].to_numpy(object)
    ways = {name: str(Obtained(rows.goal(name).how)) for name in names}
    if len(set(ways.values())) == 1:
        told = next(iter(ways.values()), str(Source.MEASURED))
    else:
        told = "; ".join(
            f"{way}: {', '.join(name for name in names if ways[name] == way)}"
            for way in dict.fromkeys(ways.values())
        )
    return np.full(len(rows), told, object)
