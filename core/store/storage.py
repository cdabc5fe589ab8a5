"""The places of a home: made private, and what each takes on the disk."""

from __future__ import annotations

import datetime
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from core.store.blobs import BlobStore
from core.store.database import Database
from core.store.home import FOLDER, RECORD, SANDBOXES, TRASH, folders
from core.store.private import create_private, private_files, private_folder, private_home
from core.store.uploads import KEPT_DAYS

UPLOADS = Path("datasets") / "uploads"
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_SUFFIXES = ("", "-wal", "-shm", "-journal")
_OURS = re.compile(
    rf"\.?{re.escape(RECORD)}.*|{FOLDER}(-[0-9a-f]{{12}})?|{TRASH}|{SANDBOXES}|datasets|forecasts|loaded|packed|severities|lost\+found"
)


@dataclass(frozen=True)
class StorageUse:
    """One part of what is stored.

    Attributes:
        name: what a person calls it.
        place: folder or file; "" for a database elsewhere.
        files: how many.
        bytes: their size.
        hint: how to have less of it, "" where the pages say so.
    """

    name: str
    place: str
    files: int
    bytes: int
    hint: str = ""


def prepare_places(home: Path, database: Database) -> None:
    """Create the home and the database's file for their owner alone, and close existing ones to others.

    Raises:
        OSError: they cannot be created.
    """
    files = _database_files(database)
    names = {file.name for file in files}
    private_home(home, lambda name: name in names or _OURS.fullmatch(name) is not None)
    if files:
        files[0].parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        create_private(files[0])
        private_files(files)
    uploads = home / UPLOADS
    if uploads.is_dir():
        private_folder(uploads)
        private_files(uploads.iterdir())


def storage_use(home: Path, database: Database, blobs: BlobStore) -> list[StorageUse]:
    """What takes how much of the disk; parts that hold nothing are left out."""
    others = [folder for folder in folders(home) if folder.is_dir() and folder != blobs.folder]
    parts = [
        _measured("database", _database_files(database)[:1], _database_files(database)),
        _measured("files of runs and supernets", [blobs.folder], _all_files(blobs.folder)),
        _measured(
            "uploaded images",
            [home / UPLOADS],
            _all_files(home / UPLOADS),
            f"What no run names for {KEPT_DAYS} days goes to the trash at a start.",
        ),
        *(
            _measured(
                "files of another database",
                [folder],
                _all_files(folder),
                "They are left alone: this database does not know whose they are.",
            )
            for folder in others
        ),
        _measured(
            "sandboxes of classes",
            [home / SANDBOXES],
            _all_files(home / SANDBOXES),
            "A folder for each student, with what the student made; removing a student moves it to the trash.",
        ),
        _measured(
            "trash",
            [home / TRASH],
            _all_files(home / TRASH),
            "Files no run named any more, by day, kept until you empty it: `python -m core empty-trash`.",
        ),
    ]
    return [part for part in parts if part.files]


def empty_trash(trash: Path, older_than_days: int) -> tuple[int, int]:
    """Delete the trash's folders of days at least so long ago: how many files, how many bytes."""
    last = (datetime.date.today() - datetime.timedelta(days=older_than_days)).isoformat()
    n_files = n_bytes = 0
    for day in sorted(trash.iterdir()) if trash.is_dir() else []:
        if _DAY.fullmatch(day.name) and day.name <= last and not day.is_symlink():
            for file in day.iterdir():
                for path in [file] if file.is_symlink() or file.is_file() else _all_files(file):
                    n_files, n_bytes = n_files + 1, n_bytes + path.lstat().st_size
                if file.is_dir() and not file.is_symlink():  # a sandbox
                    shutil.rmtree(file)
                else:
                    file.unlink()
            day.rmdir()
    return n_files, n_bytes


def _measured(name: str, place: list[Path], files: Iterable[Path], hint: str = "") -> StorageUse:
    sizes = []
    for file in files:
        try:
            sizes.append(file.stat().st_size)
        except OSError:  # gone meanwhile, or not made yet
            continue
    return StorageUse(name, str(place[0]) if place else "", len(sizes), sum(sizes), hint)


def _all_files(folder: Path) -> list[Path]:
    return [Path(root) / name for root, _, names in os.walk(folder) for name in names]


def _database_files(database: Database) -> list[Path]:
    if not database.is_sqlite or database.in_memory or str(database.url.database).startswith("file:"):
        return []
    return [Path(f"{database.url.database}{suffix}") for suffix in _SUFFIXES]
