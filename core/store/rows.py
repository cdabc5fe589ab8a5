"""Rows of runs and supernets as records, verified: a row that has changed on the disk is refused, alone.

One damaged row must not take the healthy ones with it, so lists leave it out and `DamagedRow` says what
can still be said about it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, String, cast, delete, literal_column, select

from core.config import JsonObject
from core.errors import DamagedArtifact
from core.records import Run, RunState
from core.store.database import reading_damaged_text
from core.store.schema import RunRow, SupernetRow, row_hash

_SHOWN = (
    "run_id",
    "kind",
    "title",
    "session",
    "fraction",
    "message",
    "created",
    "updated",
    "eta_seconds",
    "worked",
)
_HASHED = ("run_id", "kind", "title", "params", "seed", "session")
_REMOVE = "It cannot be used: remove it, or restore a backup of the database."


@dataclass(frozen=True)
class StoredSupernet:
    """A trained supernet in the store.

    Attributes:
        supernet_id: 128-bit random id, hexadecimal.
        family, data: registry names of what it is and what it was trained on, "" if the card does not say.
        card: what `core.supernets.files` wrote about it.
        created: seconds since the epoch, for display only.
    """

    supernet_id: str
    name: str
    family: str
    data: str
    sha256: str
    size: int
    card: JsonObject
    created: float


@dataclass(frozen=True)
class DamagedRow:
    """A run or a stored supernet whose row has changed on the disk.

    Attributes:
        table: "runs" or "supernets".
        key: which row, for `RunStore.remove_damaged`.
        title: what can still be read of its name.
        sentence: what happened and what can be done.
    """

    table: str
    key: str
    title: str
    sentence: str


def runs_query(*conditions: ColumnElement[bool]) -> Select[Any]:
    """Runs, newest first, with what `read_run` needs."""
    names = dict.fromkeys((*_SHOWN, *_HASHED, "state", "row_hash"))
    table = RunRow.__table__.c
    return select(*(table[name] for name in names)).where(*conditions).order_by(table.number.desc())


def read_run(row: Mapping[str, Any]) -> Run:
    """A row of `runs_query` as a record.

    Raises:
        DamagedArtifact: it has changed since it was saved.
    """
    what = "request"
    try:
        if row_hash(*(row[name] for name in _HASHED)) == row["row_hash"]:
            what = "record"
            numbers: dict[str, float | None] = {
                name: float(row[name]) for name in ("fraction", "created", "updated")
            }
            numbers["worked"] = None if row["worked"] is None else float(row["worked"])
            shown = {name: row[name] for name in _SHOWN} | numbers
            params = json.loads(row["params"])
            return Run(**shown, params=params, seed=int(row["seed"]), state=RunState(row["state"]))
    except (ValueError, TypeError):
        pass
    raise DamagedArtifact(
        f"The {what} of run {row['run_id']!s:.32} has changed since it was saved. {_REMOVE}"
    )


def supernets_query(*conditions: ColumnElement[bool]) -> Select[Any]:
    """Stored supernets, newest first, with what `read_supernet` needs."""
    columns = SupernetRow.__table__.c
    newest_first = (columns.created.desc(), columns.supernet_id)
    return select(SupernetRow.__table__).where(*conditions).order_by(*newest_first)


def read_supernet(row: Mapping[str, Any]) -> StoredSupernet:
    """A row of `supernets_query` as a record.

    Raises:
        DamagedArtifact: it has changed since it was saved.
    """
    what = "card"
    try:
        if row_hash(row["supernet_id"], row["sha256"], row["card"]) == row["row_hash"]:
            what = "record"
            shown = {key: value for key, value in row.items() if key != "row_hash"}
            shown |= {"card": json.loads(row["card"]), "created": float(row["created"])}
            return StoredSupernet(**shown)
    except (ValueError, TypeError):
        pass
    raise DamagedArtifact(
        f"The {what} of supernet {row['name']!s:.60} has changed since it was saved. {_REMOVE}"
    )


_TABLES = {"runs": (RunRow, read_run, "title"), "supernets": (SupernetRow, read_supernet, "name")}


def damaged_rows(connection: Connection, table: str | None = None) -> list[DamagedRow]:
    """The damaged runs and supernets, or those of one table."""
    found = []
    for name in _TABLES if table is None else (table,):
        row_class, read, title = _TABLES[name]
        columns = (row_key(connection, name).label("row_key"), *row_class.__table__.c)
        for row in connection.execute(select(*columns)).mappings():
            fields = dict(row)
            key = str(fields.pop("row_key"))
            try:
                read(fields)
            except DamagedArtifact as error:
                found.append(DamagedRow(name, key, str(fields[title])[:200], str(error)))
    return found


def remove_damaged_row(connection: Connection, row: DamagedRow) -> bool:
    """Remove a damaged row in a writing transaction; False if it is gone, or whole again."""
    with reading_damaged_text(connection):
        if all(found.key != row.key for found in damaged_rows(connection, row.table)):
            return False
    table = _TABLES[row.table][0]
    this = cast(row_key(connection, row.table), String) == row.key
    return connection.execute(delete(table).where(this)).rowcount == 1


def row_key(connection: Connection, table: str) -> ColumnElement[Any]:
    """What tells rows of a table apart even where their ids are damaged, which only SQLite's can be."""
    if connection.dialect.name == "sqlite":
        return literal_column(f"{table}.rowid")
    column: ColumnElement[Any] = (
        RunRow.__table__.c.number if table == "runs" else SupernetRow.__table__.c.supernet_id
    )
    return column
