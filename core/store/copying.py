"""All that one database and its files hold, copied to another place while both may be in use.

Consistent without stopping anything: files are removed under the database's write lock alone, so under that lock every named
file gets a second name (a hard link), and a reading transaction begins that sees the rows as they are then. Nobody waits
longer than the links take. An object store has no links: there, what is removed meanwhile goes to the trash (`held`) and is had
from there.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

from sqlalchemy import Connection, Table, func, insert, select, text, update
from sqlalchemy.engine import make_url

from core.errors import DamagedArtifact, InvalidInput
from core.records import RunState
from core.store.blobs import hashes_in
from core.store.database import Database, reading_damaged_text
from core.store.files import Files
from core.store.leases import ACTIVE
from core.store.migrations import migrate
from core.store.naming import named_files
from core.store.places import Blobs
from core.store.schema import Base, IdentityRow, RunRow, ServerRow

DATABASE, FILES = "database.db", "files"
_ROWS = 1000
_AT_ONCE = 8


def copy_out(files: Files, place: Path) -> list[str]:
    """Rows as a SQLite file and named files, as they are at one moment, in a new folder.

    Args:
        files: of the store.
        place: the folder; on the same disk files are linked, not copied.

    Returns:
        One sentence for each file that rows name and that is missing or damaged; it is left out.

    Raises:
        StorageFailed: the disk refused.
        DamagedArtifact: the database cannot be read.
    """
    linked, source = place / FILES, files.database
    linked.mkdir(parents=True)
    copy = Database(make_url(f"sqlite:///{place / DATABASE}"))
    with ExitStack() as stack:
        stack.callback(copy.close)
        migrate(copy)
        stack.enter_context(files.blobs.held())
        with source.write("holding files for a backup", long=True) as connection:
            named = named_files(connection)
            for sha256 in named:
                files.blobs.link(sha256, linked / sha256)
            rows = stack.enter_context(source.snapshot("reading rows for a backup"))
        with copy.write("copying rows into a backup") as connection:
            copy_rows(rows, connection)
        fetch(files.blobs, [sha256 for sha256 in named if not (linked / sha256).exists()], linked)
    _in_one_file(place / DATABASE)
    return [sentence for sha256 in sorted(named) if (sentence := _verdict(linked / sha256))]


def copy_in(files: Files, place: Path) -> int:
    """What `copy_out` made, into a store that holds nothing; how many files.

    Runs that were at work become interrupted, so that they can be resumed here. Files come first, then all rows in one
    transaction: whatever happens in between, the store is then still empty, and copying in works again.

    Raises:
        InvalidInput: the store holds something, or the copy is none.
        StorageFailed: the disk refused, or the copy is of a newer version.
        DamagedArtifact: the copy is damaged.
    """
    _require_plain(place / DATABASE)
    copy = Database(make_url(f"sqlite:///{place / DATABASE}"))
    found = hashes_in(place / FILES)
    blobs = (
        files.blobs.without_limit()
    )  # room was found when it was backed up: a quota is asked of new work alone
    with ExitStack() as stack:
        stack.callback(copy.close)
        migrate(copy)
        for sha256 in sorted(found):
            blobs.put((place / FILES / sha256).read_bytes())
        rows = stack.enter_context(copy.snapshot("reading a backup"))
        with files.database.write("putting a backup back", long=True) as connection:
            require_empty(connection)
            copy_rows(rows, connection)
            connection.execute(
                update(RunRow)
                .where(RunRow.state.in_(ACTIVE))
                .values(
                    state=RunState.INTERRUPTED,
                    message="It was at work when the backup was made; resume it to go on from there",
                    eta_seconds=None,
                    begun=None,
                )
            )
    return len(found)


def require_empty(connection: Connection) -> None:
    """Raise `InvalidInput` where a database holds anything."""
    for table in _tables():
        if connection.execute(select(func.count()).select_from(table)).scalar():
            raise InvalidInput(
                "There is something in this home already, and nothing of it is overwritten. Set PARETOSCOPE_HOME (and "
                "PARETOSCOPE_DATABASE_URL, if it is set) to an empty place, then restore again."
            )


def copy_rows(source: Connection, target: Connection) -> None:
    """Every row of every table, but not who the database is and which servers work on it: that is the target's own."""
    for table in _tables():
        with reading_damaged_text(source):
            found = source.execution_options(yield_per=_ROWS).execute(
                select(table).order_by(*table.primary_key)
            )
            for part in found.mappings().partitions():
                target.execute(insert(table), [dict(row) for row in part])
        _count_on(table, target)


def _tables() -> list[Table]:
    own = (IdentityRow.__table__, ServerRow.__table__)
    return [table for table in Base.metadata.sorted_tables if table not in own]


def _count_on(table: Table, target: Connection) -> None:
    """Postgres numbers new rows by a counter of its own, which does not see numbers that were given."""
    column = table.autoincrement_column
    if target.dialect.name != "postgresql" or column is None:
        return
    last = target.execute(select(func.max(column))).scalar()
    if last is not None:
        target.execute(
            text("SELECT setval(pg_get_serial_sequence(:table, :column), :last)"),
            {"table": table.name, "column": column.name, "last": last},
        )


def fetch(blobs: Blobs, sha256s: Sequence[str], folder: Path) -> None:
    """Copy files into a folder, several at a time, for a store far away answers each after a moment."""
    if sha256s:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda sha256: blobs.copy_to(sha256, folder / sha256), sha256s))


def _verdict(file: Path) -> str:
    """What is wrong with a linked file, which is then taken away; "" if nothing is."""
    try:
        with file.open("rb") as content:
            if hashlib.file_digest(content, "sha256").hexdigest() == file.name:
                return ""
    except FileNotFoundError:
        return f"The stored file {file.name[:12]} is missing."
    file.unlink()
    return f"The stored file {file.name[:12]} has changed since it was saved."


def _in_one_file(database: Path) -> None:
    """Fold the write-ahead log into the database's file."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")


def _require_plain(database: Path) -> None:
    """A stranger's database holds tables and indices alone: a view would be a program."""
    try:
        with closing(sqlite3.connect(database)) as connection:
            kinds = {row[0] for row in connection.execute("SELECT type FROM sqlite_master")}
    except sqlite3.Error as error:
        raise DamagedArtifact("The database in this backup is damaged; use another backup.") from error
    if not kinds <= {"table", "index"}:
        raise InvalidInput("The database in this backup is none of Paretoscope's.")
