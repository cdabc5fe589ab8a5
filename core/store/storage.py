"""The places of a home: made private, and what each takes on the disk."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from core.store.blobs import BlobStore, all_files
from core.store.database import Database
from core.store.home import FOLDER, RECORD, SANDBOXES, TRASH, folders
from core.store.naming import named_sizes
from core.store.places import Blobs
from core.store.private import create_private, private_files, private_folder, private_home
from core.store.uploads import KEPT_DAYS

UPLOADS = Path("datasets") / "uploads"
_SUFFIXES = ("", "-wal", "-shm", "-journal")
_OURS = re.compile(
    rf"\.?{re.escape(RECORD)}.*|{FOLDER}(-[0-9a-f]{{12}})?|{TRASH}|{SANDBOXES}|datasets|files-cache|forecasts|loaded|packed|severities|lost\+found"
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


def storage_use(home: Path, database: Database, blobs: Blobs) -> list[StorageUse]:
    """What takes how much of the disk; parts that hold nothing are left out. No store elsewhere is asked."""
    own = blobs.folder if isinstance(blobs, BlobStore) else None
    others = [folder for folder in folders(home) if folder.is_dir() and folder != own]
    shared = own is None or own.parent != home
    parts = [
        _measured("database", _database_files(database)[:1], _database_files(database)),
        _named(database, blobs)
        if shared
        else _measured("files of runs and supernets", [own or home], all_files(own or home)),
        _measured("copies of files here", [home / "files-cache"], all_files(home / "files-cache")),
        _measured(
            "uploaded images",
            [home / UPLOADS],
            all_files(home / UPLOADS),
            f"What no run names for {KEPT_DAYS} days goes to the trash at a start.",
        ),
        *(
            _measured(
                "files in the home" if shared else "files of another database",
                [folder],
                all_files(folder),
                "They are read from here as well; `python -m core move-files` copies them to where files are now."
                if shared
                else "They are left alone: this database does not know whose they are.",
            )
            for folder in others
        ),
        _measured(
            "sandboxes of classes",
            [home / SANDBOXES],
            all_files(home / SANDBOXES),
            "A folder for each student, with what the student made; removing a student moves it to the trash.",
        ),
        _measured(
            "trash",
            [home / TRASH],
            all_files(home / TRASH),
            "Files no run named any more, by day, kept until you empty it: `python -m core empty-trash`.",
        ),
    ]
    return [part for part in parts if part.files]


def _named(database: Database, blobs: Blobs) -> StorageUse:
    """Files that lie where several servers have them: what rows name, for counting there takes long."""
    with database.read("measuring the storage") as connection:
        sizes = named_sizes(connection)
    hint = f"They are in {blobs.place}; `python -m core empty-trash` empties the trash there as well."
    return StorageUse("files of runs and supernets", blobs.place, len(sizes), sum(sizes.values()), hint)


def _measured(name: str, place: list[Path], files: Iterable[Path], hint: str = "") -> StorageUse:
    sizes = []
    for file in files:
        try:
            sizes.append(file.stat().st_size)
        except OSError:  # gone meanwhile, or not made yet
            continue
    return StorageUse(name, str(place[0]) if place else "", len(sizes), sum(sizes), hint)


def _database_files(database: Database) -> list[Path]:
    if not database.is_sqlite or database.in_memory or str(database.url.database).startswith("file:"):
        return []
    return [Path(f"{database.url.database}{suffix}") for suffix in _SUFFIXES]
