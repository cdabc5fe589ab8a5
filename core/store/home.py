"""Whose files are whose: a folder of files belongs to one database.

Two databases may be used with one home, one after the other (moved aside, a copy, another
PARETOSCOPE_DATABASE_URL). Neither knows what the other names, so neither may remove a file for being
unknown to it. The database carries an identity; a record beside the folder of files says which database,
and where, it belongs to. Any other database writes into a folder of its own, named after it, and only
reads elsewhere.

A home of version 0.1 has no record. The first database that names most of the files in it gets it, for
it is then surely theirs; a new database beside old files does not.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import select
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
        return f"{FOLDER}-{hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()[:12]}"


def own_folder(home: Path, database: Database) -> Path:
    """The folder whose files belong to `database` alone; claimed if it is nobody's.

    Raises:
        StorageFailed: the record cannot be written.
        DamagedArtifact: the database cannot be read.
    """
    blobs = home / FOLDER
    root = blobs.resolve().parent
    me = Holder(_identity(database), _place(database.url, root))
    holder = _read(root / RECORD)
    if holder is None and _is_ours(blobs, database):
        if database.in_memory:
            return blobs
        holder = _claim(root / RECORD, me)
    return blobs if holder == me else home / me.folder_name


def folders(home: Path) -> list[Path]:
    """Every folder of files there is in this home, whoever it belongs to."""
    return [home / FOLDER, *sorted(home.glob(f"{FOLDER}-*"))]


def _identity(database: Database) -> str:
    with database.read("reading the identity of the database") as connection:
        return connection.execute(select(IdentityRow.identity)).scalars().first() or ""


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


def _read(record: Path) -> Holder | None:
    """Who owns the folder; None if nobody has said so (or what was said cannot be read)."""
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
        holder = Holder(content["identity"], content["database"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return holder if isinstance(holder.identity, str) and _HEX.fullmatch(holder.identity) else None


def _claim(record: Path, me: Holder) -> Holder | None:
    """Write the record unless somebody was faster, and return who owns the folder now."""
    with plain_failures(f"opening {record.parent}"):
        record.parent.mkdir(parents=True, exist_ok=True)
        tmp = record.with_name(f".{RECORD}-{uuid.uuid4().hex}")
        descriptor = os.open(tmp, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            try:
                os.write(descriptor, json.dumps(asdict(me), indent=1).encode())
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if record.exists() and _read(record) is None:
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
    return _read(record)
