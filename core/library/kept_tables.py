"""Imported tables as the store keeps them: added, joined with another one, opened with what their columns mean."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import ValidationError

from core.cache import Cache
from core.errors import CoreError, DamagedArtifact, InvalidInput
from core.library import supernets
from core.library.csv_tables import front_csv
from core.library.foreign_tables.columns import Peek, written
from core.library.imported_tables import TableRows, rows_of
from core.library.measuring import FROM_TABLE
from core.library.results import Part
from core.library.table_mapping import TableMapping
from core.objectives.base import known_names
from core.words import count_of, format_count

if TYPE_CHECKING:
    import pandas as pd

    from core.store import RunStore
    from core.store.imported import ImportedTable

SAMPLE = "digits-cnn"
"""The shipped supernet whose table is the sample."""
_MOST_CACHED_BYTES = 1 << 30
_ROWS: Cache[TableRows] = Cache(_MOST_CACHED_BYTES, size=lambda rows: rows.memory)


class TableAbout(Part):
    """What is kept beside the columns of a table.

    Attributes:
        mapping: what the columns mean.
        format: what a person calls the format of the file.
        rows: how many.
        columns: names of all columns.
        notes: what a person must know of it, a sentence each.
    """

    mapping: TableMapping
    format: str
    rows: int
    columns: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def encode(self) -> str:
        """As the store keeps it."""
        return json.dumps(self.model_dump(mode="json"))

    @classmethod
    def decode(cls, text: str) -> TableAbout:
        """What `encode` wrote.

        Raises:
            DamagedArtifact: it is something else.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise DamagedArtifact("What the columns of this table mean cannot be read; remove it.") from error


def columns_key(names: Sequence[str]) -> str:
    """Equal for tables of the same columns, in whatever order."""
    return hashlib.sha256(json.dumps(sorted(names)).encode()).hexdigest()


def remembered(store: RunStore, found: Peek) -> TableMapping | None:
    """What the columns of an earlier table of equal columns meant; None where there was none."""
    try:
        about = store.tables.remembered(columns_key(found.names))
        return TableAbout.decode(about).mapping.checked(found.names) if about else None
    except CoreError:
        return None


def add(
    store: RunStore, name: str, found: Peek, data: bytes, mapping: TableMapping, source_sha256: str
) -> str:
    """Keep an imported table and return its id.

    Args:
        store: where.
        name: what a person calls it.
        found, data: as `read_foreign` returned them.
        mapping: what the columns mean.
        source_sha256: of the file.

    Raises:
        InvalidInput: the mapping is of another table, has fewer than two objectives, or the name is none.
    """
    mapping = checked(mapping, found.names)
    about = TableAbout(
        mapping=mapping, format=found.label, rows=found.rows, columns=found.names, notes=found.notes
    )
    key = columns_key(found.names)
    return store.tables.add(name, data, about=about.encode(), columns_key=key, source_sha256=source_sha256)


def checked(mapping: TableMapping, columns: Sequence[str], *, least: int = 2) -> TableMapping:
    """A mapping that a table can be browsed with.

    Args:
        mapping: what the columns mean.
        columns: of the table.
        least: objectives it must have; a file that adds to a table needs none.

    Raises:
        InvalidInput: it is of another table, or has too few objectives.
    """
    if len(mapping.objectives) < least:
        raise InvalidInput("A front needs two objectives: choose at least two columns of numbers.")
    return mapping.checked(columns)


def opened(store: RunStore, table: ImportedTable) -> tuple[TableAbout, TableRows]:
    """A kept table with its rows; read once.

    Raises:
        DamagedArtifact: it is missing or has changed.
        InvalidInput: what is kept of its columns is of another table.
    """
    if table.damaged:
        raise DamagedArtifact(table.damaged)
    about = TableAbout.decode(table.about)
    revision = hashlib.sha256(f"{table.sha256}{table.about}".encode()).hexdigest()[:24]
    make = lambda: rows_of(store.tables.content(table), about.mapping, revision)  # noqa: E731
    return about, _ROWS.get(revision, make)


def remap(store: RunStore, table: ImportedTable, mapping: TableMapping) -> None:
    """Say anew what the columns of a table mean.

    Raises:
        InvalidInput: the mapping is of another table, or has fewer than two objectives.
        NotFound: the table was removed.
    """
    about = TableAbout.decode(table.about)
    mapping = checked(mapping, about.columns)
    store.tables.remap(table.table_id, about.model_copy(update={"mapping": mapping}).encode())


def join(
    store: RunStore,
    table: ImportedTable,
    found: Peek,
    data: bytes,
    mapping: TableMapping,
    *,
    here: str,
    there: str,
) -> str:
    """Add the columns of a file to a table, row by row where both have the same key; what came of it, a sentence.

    Args:
        store: where the table is kept.
        table: it keeps all its rows; those that the file does not have get no value.
        found, data: of the file, as `read_foreign` returned them.
        mapping: what the file's columns mean.
        here, there: the column of the table and the file's one by which rows belong together.

    Raises:
        InvalidInput: a column is not there, a key stands twice in the file, or no row belongs to any.
        DamagedArtifact: the kept table cannot be read.
        NotFound: it was removed.
    """
    import pandas as pd

    about, rows = opened(store, table)
    if here not in about.columns or there not in found.names:
        raise InvalidInput("Choose the column by which the rows of both belong together.")
    other = pd.read_parquet(io.BytesIO(data))
    if other[there].dropna().duplicated().any():
        raise InvalidInput(
            f"Column {there[:60]!r} of the file has a value twice, so its rows belong to no single one."
        )
    names = {
        name: name if name not in about.columns else _unlike(name, about.columns) for name in found.names
    }
    # What both have and mean the same is not there twice.
    same = [
        name
        for name in found.names
        if name in about.columns and name != there and _equal(rows.frame, other, name, here, there)
    ]
    kept = other.drop(columns=same).rename(columns={n: m for n, m in names.items() if n != there})
    left = rows.frame.assign(**{_KEY: rows.frame[here].astype("str")})
    right = kept.assign(**{_KEY: kept[there].astype("str")}).drop(columns=[there])
    right = right[right[_KEY].notna()]
    matched = int(left[_KEY].isin(right[_KEY]).sum())
    if not matched:
        raise InvalidInput(
            f"No row of the file belongs to a row of the table: {here[:40]!r} and {there[:40]!r} share no value."
        )
    whole = left.merge(right, on=_KEY, how="left").drop(columns=[_KEY])
    meaning = _merged(
        about.mapping, mapping, {n: m for n, m in names.items() if n not in same and n != there}
    )
    columns = tuple(str(name) for name in whole.columns)
    new = about.model_copy(
        update={
            "mapping": meaning.checked(columns),
            "columns": columns,
            "notes": (*about.notes, *found.notes),
        }
    )
    store.tables.replace(table.table_id, written(whole), about=new.encode(), columns_key=columns_key(columns))
    added = len(right.columns) - 1
    return (
        f"{count_of(added, 'column')} {'was' if added == 1 else 'were'} added; {format_count(matched)} of "
        f"{count_of(len(rows), 'row')} have a row in the file."
    )


_KEY = "\N{KEY}"
"""A column of a name that no plain column has."""


def _unlike(name: str, taken: Sequence[str]) -> str:
    found, count = name, 1
    while found in taken:
        count += 1
        found = f"{name} ({count})"
    return found


def _equal(frame: pd.DataFrame, other: pd.DataFrame, name: str, here: str, there: str) -> bool:
    """Whether a column of both says the same of every row they share."""
    if name == here:
        return False
    mine = frame[[here, name]].drop_duplicates(here).set_index(here)[name].astype("str")
    theirs = other.set_index(there)[name].astype("str")
    shared = mine.index.intersection(theirs.index)
    return len(shared) > 0 and bool((mine.loc[shared].fillna("") == theirs.loc[shared].fillna("")).all())


def _merged(mapping: TableMapping, added: TableMapping, names: dict[str, str]) -> TableMapping:
    objectives = tuple(
        each.model_copy(update={"column": names[each.column]})
        for each in added.objectives
        if each.column in names
    )
    others = [
        names[name]
        for name in (added.identity, added.group, added.source, *added.configuration)
        if name in names
    ]
    return mapping.model_copy(
        update={
            "objectives": (*mapping.objectives, *objectives),
            "configuration": (*mapping.configuration, *dict.fromkeys(others)),
        }
    )


def sample_file() -> tuple[str, bytes]:
    """A file to try the page with: the complete table of a shipped supernet, as its own CSV download.

    Raises:
        CoreError: the shipped supernet cannot be read.
    """
    entry = supernets.find(None, SAMPLE)
    table = supernets.table(entry)
    if table is None:
        raise InvalidInput("The shipped table is not here.")
    names = [name for name in known_names(table.columns) if name not in ("accuracy", "macs")]
    also = [name for name in names if not name.startswith("test_")]
    return f"{SAMPLE}.csv", front_csv(entry, table, ("accuracy", "macs"), FROM_TABLE, also)
