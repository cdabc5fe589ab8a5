"""Tables that people imported: their columns as a file, what the columns mean as a row.

A removed table is kept for a while, so that removing can be undone; its file goes to the trash and comes back from
there. What the columns of a table meant is remembered for the next table of equal columns, also of a removed one.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from core.errors import DamagedArtifact, InvalidInput, NotFound
from core.people import Action
from core.store.files import Files
from core.store.permits import require_for, require_upload
from core.store.schema import ImportedTableRow, row_hash

LONGEST_NAME = 80
MOST_TABLES = 500
KEPT_SECONDS = 30 * 86_400.0
"""How long a removed table can be brought back."""
_HASHED = ("table_id", "name", "sha256", "source_sha256", "columns_key", "about")
_GONE = "This table was removed; choose another one, or import it again."


@dataclass(frozen=True)
class ImportedTable:
    """An imported table in a list.

    Attributes:
        table_id: 128-bit random id, hexadecimal.
        name: what a person calls it.
        sha256: of the kept columns.
        source_sha256: of the file it came from.
        about: JSON of what the columns mean, as `core.library.kept_tables` wrote it.
        size: bytes of the kept columns.
        created: seconds since the epoch, for display only.
        damaged: why it cannot be used, "" where it can.
    """

    table_id: str
    name: str
    sha256: str
    source_sha256: str
    about: str
    size: int
    created: float
    damaged: str = ""


class ImportedTables:
    """The imported tables of this home."""

    def __init__(self, files: Files) -> None:
        self._files, self._database = files, files.database

    def add(self, name: str, data: bytes, *, about: str, columns_key: str, source_sha256: str) -> str:
        """Keep a table and return its id.

        Args:
            name: what a person calls it.
            data: its columns.
            about: JSON of what they mean.
            columns_key: equal for tables of equal columns.
            source_sha256: of the file it came from.

        Raises:
            InvalidInput: the name has no letters, or there are too many tables.
        """
        require_upload(self._database)
        table_id, shown = uuid.uuid4().hex, checked_name(name)
        sha256 = self._files.blobs.put(data)
        fields = {"table_id": table_id, "name": shown, "sha256": sha256, "source_sha256": source_sha256}
        fields |= {"columns_key": columns_key, "about": about}
        with self._database.write("saving a table", table_id) as connection:
            there = (
                select(func.count()).select_from(ImportedTableRow).where(ImportedTableRow.deleted.is_(None))
            )
            if (connection.execute(there).scalar() or 0) >= MOST_TABLES:
                raise InvalidInput("There are too many tables; remove one that is no longer needed.")
            self._files.secure(sha256, data)
            hashed = row_hash(*(fields[key] for key in _HASHED))
            new = insert(ImportedTableRow).values(**fields, row_hash=hashed, size=len(data))
            connection.execute(new.values(created=time.time(), changed=_next(connection), deleted=None))
        return table_id

    def list(self) -> list[ImportedTable]:
        """All tables, the last one changed first; one whose row has changed on the disk says so."""
        row = ImportedTableRow
        query = select(row.__table__).where(row.deleted.is_(None)).order_by(row.changed.desc(), row.table_id)
        with self._database.read(tolerant=True) as connection:
            return [_read(dict(found)) for found in connection.execute(query).mappings()]

    def get(self, table_id: str) -> ImportedTable:
        """One table.

        Raises:
            NotFound: there is none, or it was removed.
            DamagedArtifact: its row has changed on the disk.
        """
        found = next((each for each in self.list() if each.table_id == table_id), None)
        if found is None:
            raise NotFound(_GONE)
        if found.damaged:
            raise DamagedArtifact(found.damaged)
        return found

    def content(self, table: ImportedTable) -> bytes:
        """The kept columns of a table, verified.

        Raises:
            DamagedArtifact: the file is missing or has changed.
        """
        return self._files.blobs.get(table.sha256)

    def remembered(self, columns_key: str) -> str:
        """What the columns of the last table of equal columns meant, "" where there was none."""
        row = ImportedTableRow
        query = select(row.__table__).where(row.columns_key == columns_key).order_by(row.changed.desc())
        with self._database.read(tolerant=True) as connection:
            for found in connection.execute(query).mappings():
                if not (table := _read(dict(found))).damaged:
                    return table.about
        return ""

    def rename(self, table_id: str, name: str) -> None:
        """Give a table another name.

        Raises:
            InvalidInput: the name has no letters.
            NotFound: it was removed.
        """
        self._change(table_id, {"name": checked_name(name)}, "renaming a table")

    def remap(self, table_id: str, about: str) -> None:
        """Say anew what the columns mean.

        Raises:
            NotFound: it was removed.
        """
        self._change(table_id, {"about": about}, "saving what columns mean")

    def replace(self, table_id: str, data: bytes, *, about: str, columns_key: str) -> None:
        """Give a table other columns; those before go to the trash.

        Raises:
            NotFound: it was removed.
        """
        require_for(self._database, Action.CHANGE, table_id)
        before = self.get(table_id).sha256
        sha256 = self._files.blobs.put(data)
        values = {"sha256": sha256, "about": about, "columns_key": columns_key}
        self._change(table_id, values, "saving other columns of a table", data)
        self._files.put_away([before])

    def remove(self, table_id: str) -> None:
        """Remove a table; `restore` brings it back for 30 days, unless the trash is emptied.

        Raises:
            NotFound: it was removed already.
        """
        row, now = ImportedTableRow, time.time()
        this = (row.table_id == table_id) & row.deleted.is_(None)
        with self._database.write("removing a table", table_id) as connection:
            sha256 = connection.execute(select(row.sha256).where(this)).scalar()
            if sha256 is None:
                raise NotFound(_GONE)
            connection.execute(update(row).where(this).values(deleted=now))
            connection.execute(delete(row).where(row.deleted < now - KEPT_SECONDS))
        self._files.put_away([sha256])

    def restore(self, table_id: str) -> None:
        """Bring a removed table back.

        Raises:
            NotFound: it is gone for good.
        """
        row = ImportedTableRow
        with self._database.write("bringing a table back", table_id) as connection:
            changed = update(row).where(row.table_id == table_id).values(deleted=None)
            if connection.execute(changed).rowcount != 1:
                raise NotFound("This table is gone for good; import its file again.")
        self._files.put_back()

    def _change(
        self, table_id: str, values: Mapping[str, str], doing: str, data: bytes | None = None
    ) -> None:
        row = ImportedTableRow
        this = (row.table_id == table_id) & row.deleted.is_(None)
        with self._database.write(doing, table_id) as connection:
            found = connection.execute(select(row.__table__).where(this)).mappings().one_or_none()
            if found is None:
                raise NotFound(_GONE)
            fields: dict[str, Any] = {**found, **values}
            if data is not None:
                self._files.secure(fields["sha256"], data)
                fields["size"] = len(data)
            fields["row_hash"] = row_hash(*(fields[key] for key in _HASHED))
            changed = update(row).where(this).values(**{**values, "row_hash": fields["row_hash"]})
            connection.execute(changed.values(size=fields["size"], changed=_next(connection)))


def _read(row: Mapping[str, Any]) -> ImportedTable:
    shown = {
        key: row[key] for key in ("table_id", "name", "sha256", "source_sha256", "about", "size", "created")
    }
    whole = row_hash(*(row[key] for key in _HASHED)) == row["row_hash"]
    said = (
        ""
        if whole
        else f"What is kept of table {row['name']!s:.60} has changed since it was saved. Remove it."
    )
    return ImportedTable(**shown, damaged=said)


def damaged_tables(connection: Connection) -> list[str]:
    """A sentence per table whose row has changed on the disk."""
    found = connection.execute(select(ImportedTableRow.__table__)).mappings()
    return [said for row in found if (said := _read(dict(row)).damaged)]


def checked_name(name: str) -> str:
    """A table's name as it is kept: one line.

    Raises:
        InvalidInput: nothing is left of it, or it is too long.
    """
    shown = " ".join("".join(c if c.isprintable() else " " for c in name).split())
    if not shown:
        raise InvalidInput("Give the table a name.")
    if len(shown) > LONGEST_NAME:
        raise InvalidInput(
            f"A table's name has at most {LONGEST_NAME} characters; this one has {len(shown)}."
        )
    return shown


def _next(connection: Connection) -> int:
    """Order comes from counters, because clocks jump."""
    return (connection.execute(select(func.max(ImportedTableRow.changed))).scalar() or 0) + 1
