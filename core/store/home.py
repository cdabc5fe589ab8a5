"""Whose files are whose: a folder of files belongs to one database.

Two databases may be used with one home, one after the other (moved aside, a copy, another
PARETOSCOPE_DATABASE_URL). Neither knows what the other names, so neither may remove a file for being
unknown to it. The database carries an identity; a record beside the folder of files says which database,
and where, it belongs to. Any other database writes into a folder of its own, named after it, and only
reads elsewhere.

Where files are kept for several servers (PARETOSCOPE_FILES_URL) the same holds below it, with a prefix per identity.

To the database belong the files of runs, uploads, and the trash: servers of one database share them, in one home on a shared
disk or by that setting. To the machine belongs what is made again by itself: forecasts (which name their machine), severities,
loaded folders, packed scripts, decoded and downloaded data, and copies of files; each is written whole, so a shared home
holds one of each. Sandboxes of a class are SQLite files, for one machine.

A home of version 0.1 has no record. The first database that names most of the files in it gets it, for
it is then surely theirs; a new database beside old files does not.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import select, text
from sqlalchemy.engine import URL

from core.errors import CoreError
from core.store.blobs import fsync_folder, hashes_in
from core.store.database import Database
from core.store.failures import plain_failures
from core.store.naming import named_files
from core.store.schema import IdentityRow

RECORD = "store.json"
FOLDER = "blobs"
TRASH = "trash"
SANDBOXES = "sandboxes"
_HEX = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Holder:
    """A database as the owner of a folder.

    Attributes:
        identity: of the database.
        database: where it is, relative to the folder's parent if inside it: a copy is another one.
    """

    identity: str
    database: str

    @property
    def folder_name(self) -> str:
        """The folder of a database that does not own the first."""
        return f"{FOLDER}-{self._short}"

    @property
    def prefix(self) -> str:
        """The prefix of a database whose identity another one has claimed: its copy, or what it is a copy of."""
        return f"{self.identity}-{self._short}"

    @property
    def record(self) -> bytes:
        """What is written beside the files."""
        return json.dumps(asdict(self), indent=1).encode()

    @property
    def _short(self) -> str:
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()[:12]


def own_folder(home: Path, database: Database) -> Path:
    """The folder whose files belong to `database` alone; claimed if it is nobody's.

    Raises:
        StorageFailed: the record cannot be written.
        DamagedArtifact: the database cannot be read.
    """
    blobs = home / FOLDER
    root = blobs.resolve().parent
    me = Holder(identity_of(database), _place(database.url, root))
    holder = read_record(root / RECORD)
    if database.url.get_backend_name() == "postgresql":
        # Until now one was called by the host it was reached at, which differs between servers.
        called, me = me, holder_anywhere(database)
        if holder == called:
            replace_record(root / RECORD, me)
            holder = me
        elif (home / called.folder_name).is_dir():
            me = called
    if holder is None and _is_ours(blobs, database):
        if database.in_memory:
            return blobs
        holder = claim_record(root / RECORD, me)
    return blobs if holder == me else home / me.folder_name


def folders(home: Path) -> list[Path]:
    """Every folder of files there is in this home, whoever it belongs to."""
    return [home / FOLDER, *sorted(home.glob(f"{FOLDER}-*"))]


def identity_of(database: Database) -> str:
    with database.read("reading the identity of the database") as connection:
        return connection.execute(select(IdentityRow.identity)).scalars().first() or ""


def holder_anywhere(database: Database) -> Holder:
    """A database as the owner of a place that several machines use: the same from each of them, and not its copy's.

    A Postgres tells its own name, for one machine calls "localhost" what others call otherwise.
    """
    identity, url = identity_of(database), database.url
    if url.get_backend_name() == "sqlite":
        where = str(Path(url.database).resolve()) if url.database else "memory"
        return Holder(identity, f"{platform.node()}:{where}")
    if url.get_backend_name() == "postgresql":
        with database.read("asking the database for its name") as connection:
            may = "SELECT has_function_privilege('pg_control_system()', 'execute')"
            asked = "SELECT system_identifier || '/' || current_database() FROM pg_control_system()"
            if connection.execute(text(may)).scalar_one():
                return Holder(identity, f"postgresql:{connection.execute(text(asked)).scalar_one()}")
    return Holder(identity, _place(url, Path("/")))


def _place(url: URL, root: Path) -> str:
    if url.get_backend_name() != "sqlite":
        return f"{url.get_backend_name()}://{url.host or ''}:{url.port or ''}/{url.database or ''}"
    path = Path(url.database or "memory")
    resolved, folder = path.resolve(), root.resolve()
    return str(resolved.relative_to(folder) if resolved.is_relative_to(folder) else resolved)


def _is_ours(blobs: Path, database: Database) -> bool:
    files = hashes_in(blobs)
    if not files:
        return True
    try:
        with database.read("comparing files and database") as connection:
            return 2 * len(files & named_files(connection)) > len(files)
    except CoreError:  # a damaged database proves nothing
        return False


def read_record(record: Path) -> Holder | None:
    """Who owns the folder; None if nobody has said so (or what was said cannot be read)."""
    try:
        return holder_in(record.read_bytes())
    except OSError:
        return None


def holder_in(record: bytes) -> Holder | None:
    """The owner that a record names; None if it cannot be read."""
    try:
        content = json.loads(record)
        holder = Holder(content["identity"], content["database"])
    except (ValueError, KeyError, TypeError):
        return None
    return holder if isinstance(holder.identity, str) and _HEX.fullmatch(holder.identity) else None


def replace_record(record: Path, me: Holder) -> None:
    """Write a record anew, whole.

    Raises:
        StorageFailed: the disk refused.
    """
    with plain_failures(f"opening {record.parent}"):
        tmp = record.with_name(f".{RECORD}-{uuid.uuid4().hex}")
        try:
            tmp.touch(0o600)
            tmp.write_bytes(me.record)
            tmp.replace(record)
            fsync_folder(record.parent)
        finally:
            tmp.unlink(missing_ok=True)


def claim_record(record: Path, me: Holder) -> Holder | None:
    """Write the record unless somebody was faster, and return who owns the folder now."""
    with plain_failures(f"opening {record.parent}"):
        record.parent.mkdir(parents=True, exist_ok=True)
        tmp = record.with_name(f".{RECORD}-{uuid.uuid4().hex}")
        descriptor = os.open(tmp, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            try:
                os.write(descriptor, me.record)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if record.exists() and read_record(record) is None:
                tmp.replace(record)  # damaged
            else:
                try:
                    os.link(tmp, record)
                except FileExistsError:
                    pass
                except OSError:  # a file system without links
                    tmp.replace(record)
            fsync_folder(record.parent)
        finally:
            tmp.unlink(missing_ok=True)
    return read_record(record)
