"""A home in one file, taken while it is in use, and put back elsewhere.

The file is a plain tar: `backup.json` (what is in it), then for the home and for each sandbox of a class a SQLite database
with all its rows and the files that these name, each under its SHA-256, and the uploads. What lies in the trash, and what is
made again by itself (forecasts, the packed scripts of pages), is left out. It is the same whichever database was backed up:
a home on SQLite can be put back on Postgres, and the other way round.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from core.errors import InvalidInput, StorageFailed
from core.store import sandbox_folders
from core.store.blobs import fsync_folder
from core.store.copying import DATABASE, FILES
from core.store.failures import plain_failures
from core.store.home import SANDBOXES
from core.store.private import private_folder
from core.store.run_store import RunStore
from core.store.sandboxes import SandboxStore
from core.store.storage import UPLOADS

FORMAT = 1
MANIFEST, UPLOADED = "backup.json", "uploads"
_MEMBER = re.compile(
    rf"({SANDBOXES}/[0-9a-f]{{32}}/)?({re.escape(DATABASE)}|{FILES}/[0-9a-f]{{64}})|{UPLOADED}/[0-9a-f]{{64}}\.[a-z0-9.]{{1,20}}"
)
_MOST_MANIFEST = 64 << 20


@dataclass(frozen=True)
class Backup:
    """What a backup holds.

    Attributes:
        files: how many files, databases left out.
        bytes: size of the archive.
        missing: a sentence for each file that rows name and that was missing or damaged already.
    """

    files: int
    bytes: int
    missing: tuple[str, ...]


def back_up(store: RunStore, target: Path) -> Backup:
    """Write everything of a home into one file; whoever works in it works on.

    Args:
        store: of the home; in use or not.
        target: the file; an older one of that name stays until the new one is whole.

    Raises:
        InvalidInput: the store is kept in memory, or the file would lie among those that are backed up.
        StorageFailed: the disk refused.
        DamagedArtifact: a database cannot be read.
    """
    if store.in_memory:
        raise InvalidInput("A store in memory has no home to back up.")
    with plain_failures(f"writing {target.name}"), _staging(store.home) as staging:
        target.absolute().parent.mkdir(parents=True, exist_ok=True)
        missing = store.copy_out(staging)
        for sandbox_id in sandbox_folders.ids(store.home):
            with SandboxStore(sandbox_id, sandbox_folders.folder_of(store.home, sandbox_id)) as sandbox:
                missing += sandbox.copy_out(staging / SANDBOXES / sandbox_id)
        _copy_uploads(store.home / UPLOADS, staging / UPLOADED)
        return _archive(staging, target.absolute(), missing)


def put_back(store: RunStore, file: Path) -> Backup:
    """Put a backup into a store that holds nothing.

    Args:
        store: its database need not be of the kind that was backed up.
        file: what `back_up` wrote.

    Returns:
        What it held.

    Raises:
        InvalidInput: the file is no backup, or there is something in the home or the database.
        DamagedArtifact: it is damaged.
        StorageFailed: the disk refused, or it was made by a newer version.
    """
    home = store.home
    with plain_failures(f"restoring {file.name}"), _staging(home) as staging:
        if sandbox_folders.ids(home):
            raise InvalidInput("There are sandboxes of a class in this home already; choose an empty one.")
        manifest = _unpack(file, staging)
        # The home's rows come last: until they are there, all of this can be done again.
        for folder in sorted((staging / SANDBOXES).glob("*")):
            with SandboxStore(folder.name, sandbox_folders.folder_of(home, folder.name)) as sandbox:
                sandbox.copy_in(folder)
        private_folder(home / UPLOADS)
        _copy_uploads(staging / UPLOADED, home / UPLOADS)
        store.copy_in(staging)
    return Backup(manifest["files"], file.stat().st_size, tuple(manifest["missing"]))


@contextmanager
def _staging(home: Path) -> Iterator[Path]:
    """A folder beside the files, so that they can be linked instead of copied."""
    with tempfile.TemporaryDirectory(prefix=".store.json-backup-", dir=home) as name:
        yield Path(name)


def _copy_uploads(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for file in sorted(source.iterdir()) if source.is_dir() else []:
        if _MEMBER.fullmatch(f"{UPLOADED}/{file.name}") and file.is_file() and not file.is_symlink():
            shutil.copy2(file, target / file.name)  # with its age: old ones that nobody names go to the trash


def _archive(staging: Path, target: Path, missing: list[str]) -> Backup:
    """Write the tar beside its place and move it there."""
    every = sorted(path for path in staging.rglob("*") if path.is_file())
    databases = {str(p.relative_to(staging)): _sha256(p) for p in every if p.name == DATABASE}
    files = len(every) - len(databases)
    manifest = {"format": FORMAT, "made": time.strftime("%Y-%m-%d %H:%M:%S %z"), "files": files}
    content = json.dumps(manifest | {"databases": databases, "missing": missing}, indent=1).encode()
    part = target.with_name(f".{target.name}.part")
    try:
        with _private(part) as file:
            # Staged files have two names; none is a link in the archive.
            with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT, dereference=True) as archive:
                described = _anonymous(tarfile.TarInfo(MANIFEST))
                described.size = len(content)
                archive.addfile(described, io.BytesIO(content))
                for path in every:
                    archive.add(path, str(path.relative_to(staging)), recursive=False, filter=_anonymous)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
        fsync_folder(target.parent)
    finally:
        part.unlink(missing_ok=True)
    return Backup(files, target.stat().st_size, tuple(missing))


def _private(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o600
    return member


# --- reading --------------------------------------------------------------------------------------


def _unpack(file: Path, staging: Path) -> dict[str, Any]:
    """All members in their places, each as its name or the manifest says it must be."""
    seen: set[str] = set()
    try:
        with tarfile.open(file, mode="r:") as archive:
            manifest = _manifest(archive)
            room = shutil.disk_usage(staging).free
            for member in list(archive)[1:]:
                if member.name in seen or not member.isreg() or not _MEMBER.fullmatch(member.name):
                    raise InvalidInput(f"{file.name} is no backup of Paretoscope.")
                if member.size > room:
                    raise StorageFailed("There is not enough room on the disk to restore this backup.")
                room -= member.size
                seen.add(member.name)
                _extract(archive, member, staging / member.name, manifest)
    except tarfile.TarError as error:
        raise InvalidInput(
            f"{file.name} is no backup of Paretoscope, or only a part of one. Make or copy it again."
        ) from error
    n_files = sum(Path(name).name != DATABASE for name in seen)
    if n_files != manifest["files"] or not set(manifest["databases"]) <= seen:
        raise InvalidInput(f"{file.name} is only a part of a backup. Make or copy it again.")
    return manifest


def _manifest(archive: tarfile.TarFile) -> dict[str, Any]:
    first = archive.next()
    if first is None or first.name != MANIFEST or not first.isreg() or first.size > _MOST_MANIFEST:
        raise InvalidInput("This is no backup of Paretoscope.")
    content = archive.extractfile(first)
    assert content is not None
    try:
        manifest = json.loads(content.read())
        known = manifest["format"] <= FORMAT
        shaped = (
            isinstance(manifest["files"], int)
            and isinstance(manifest["databases"], dict)
            and isinstance(manifest["missing"], list)
            and DATABASE in manifest["databases"]
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidInput("This is no backup of Paretoscope.") from error
    if not shaped:
        raise InvalidInput("This is no backup of Paretoscope.")
    if not known:
        raise StorageFailed("This backup was made by a newer version. Update the program, then restore it.")
    return dict(manifest)


def _extract(
    archive: tarfile.TarFile, member: tarfile.TarInfo, place: Path, manifest: dict[str, Any]
) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    content = archive.extractfile(member)
    assert content is not None
    digest = hashlib.sha256()
    with _private(place) as file:
        while piece := content.read(1 << 20):
            digest.update(piece)
            file.write(piece)
    os.utime(place, (member.mtime, member.mtime))
    expected = manifest["databases"].get(member.name) if place.name == DATABASE else place.name[:64]
    if digest.hexdigest() != expected:
        raise InvalidInput(
            f"This backup is damaged: {member.name} has changed since it was made. Nothing was restored; use another one."
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
