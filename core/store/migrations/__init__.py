"""Brings a database to the schema this code needs.

At the right revision this costs one query, and an empty database gets its tables at once; Alembic (a
quarter of a second) is imported only for an older one. The whole change is one transaction, so a kill
leaves the old schema or the new one.
"""

from __future__ import annotations

import time
import uuid
from pathlib import Path

from sqlalchemy import Connection, insert, inspect, text

from core.errors import StorageFailed
from core.store.database import Database
from core.store.schema import HEAD, Base, IdentityRow

_FOLDER = Path(__file__).resolve().parent
_WAL_SECONDS = 10.0


def migrate(database: Database) -> None:
    """Create or upgrade the tables.

    Raises:
        StorageFailed: the database is newer than this program, or refuses the change.
        DamagedArtifact: the file is not a healthy database.
    """
    with database.read("opening the database") as connection:
        if _revision(connection) == HEAD:
            return
    if database.is_sqlite and not database.in_memory:
        _use_wal(database)
    with database.write("preparing the database") as connection:
        revision = _revision(connection)  # another process may have been faster
        if revision == HEAD:
            return
        if revision is None and not inspect(connection).get_table_names():
            _create(connection)
        else:
            _upgrade(connection, revision)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _use_wal(database: Database) -> None:
    """Switch to write-ahead logging, which stays with the file.

    SQLite answers "locked" at once, without waiting, when two processes switch together.
    """
    deadline = time.monotonic() + _WAL_SECONDS
    while True:
        connection = database.engine.raw_connection()
        try:
            mode = connection.cursor().execute("PRAGMA journal_mode=WAL").fetchone()[0]
            if mode == "wal":
                return
        except Exception as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise StorageFailed(
                    f"The database cannot be prepared ({error}). Check that its folder can be written to."
                ) from error
        finally:
            connection.close()
        if time.monotonic() > deadline:
            raise StorageFailed(
                "The database cannot use write-ahead logging, as on some network drives. Choose a folder on "
                "a local disk with PARETOSCOPE_HOME."
            )
        time.sleep(0.02)


def _create(connection: Connection) -> None:
    """What all migrations together make of an empty database (a test compares the two)."""
    Base.metadata.create_all(connection)
    connection.execute(insert(IdentityRow).values(identity=uuid.uuid4().hex))
    connection.execute(
        text(
            "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
            "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
        )
    )
    connection.execute(text("INSERT INTO alembic_version (version_num) VALUES (:head)"), {"head": HEAD})


def _upgrade(connection: Connection, revision: str | None) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision is not None and revision not in known:
        raise StorageFailed(
            f"The database was made by a newer version (revision {revision}). Update the program; nothing "
            "was changed."
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
