"""Where the files of a database are: in its home, in a folder or an object store that several servers use.

The setting PARETOSCOPE_FILES_URL decides. Whatever it says, what lies in the home is read as well, so that setting it loses
nothing; `python -m core move-files` copies what is there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from core.errors import DataUnavailable, InvalidInput, StorageFailed
from core.store.blobs import BlobStore
from core.store.database import Database
from core.store.failures import plain_failures
from core.store.file_cache import FileCache
from core.store.home import (
    FOLDER,
    RECORD,
    TRASH,
    Holder,
    claim_record,
    folders,
    holder_anywhere,
    holder_in,
    own_folder,
    read_record,
)
from core.store.object_blobs import ObjectBlobs
from core.store.objects import Objects, opened
from core.store.places import Blobs
from core.store.private import private_folder

CACHE = "files-cache"


@dataclass(frozen=True)
class Opened:
    """The places of one database.

    Attributes:
        blobs: its files.
        uploads: what people handed over, for all servers; None where they share the home's folder.
        owns_home: whether the home's uploads are this database's to judge.
    """

    blobs: Blobs
    uploads: Blobs | None
    owns_home: bool


def open_places(home: Path, database: Database, url: str) -> Opened:
    """The places that a setting names ("" for the home), made or claimed where they are nobody's.

    Raises:
        StorageFailed: the disk refuses.
        InvalidInput: the URL or what it needs cannot be used.
        DamagedArtifact: the database cannot be read.
    """
    folder = own_folder(home, database)
    in_home = BlobStore(folder, others=lambda: folders(home), trash=home / TRASH)
    owns_home = folder == home / FOLDER and not in_home.is_elsewhere
    if not url:
        return Opened(in_home, None, owns_home)
    here = lambda: [*folders(home), *sorted((home / TRASH).glob("*"))]  # noqa: E731
    me = holder_anywhere(database)
    if url.startswith("file:///"):
        blobs, uploads = _in_folder(Path(unquote(url.removeprefix("file://"))), me, here)
        return Opened(blobs, uploads, owns_home)
    return Opened(*in_objects(Objects(opened(url), url), me, home / CACHE, here), owns_home)


def in_objects(
    objects: Objects, me: Holder, cache: Path, others: Callable[[], Sequence[Path]]
) -> tuple[Blobs, Blobs]:
    """Files and uploads of a database in an object store, which is not asked anything yet."""
    prefix, copies = OwnPrefix(objects, me), FileCache(cache)
    blobs = ObjectBlobs(objects, prefix, copies, others=others, further=prefix.further)
    return blobs, ObjectBlobs(objects, prefix, copies, part="uploads", further=prefix.further)


class OwnPrefix:
    """The prefix of a database in an object store, claimed when it is first needed."""

    def __init__(self, objects: Objects, me: Holder) -> None:
        """Nothing is asked yet."""
        self._objects, self._me = objects, me
        self._known = ""
        self._lock = threading.Lock()

    def __call__(self) -> str:
        """It, ending with a slash.

        Raises:
            DataUnavailable, StorageFailed: the store cannot be reached, or refuses.
        """
        with self._lock:
            if not self._known:
                self._known = f"{self._found()}/"
            return self._known

    def _found(self) -> str:
        record = f"{self._me.identity}/{RECORD}"
        for _ in range(2):
            content = self._objects.get(record)
            if content is not None:
                return self._me.identity if holder_in(content) == self._me else self._me.prefix
            if self._objects.claim(record, self._me.record):
                return self._me.identity
        raise DataUnavailable(
            f"The object store {self._objects.place} does not show what was just written. Try again in a moment."
        )

    def further(self) -> list[str]:
        """The prefixes of databases of the same identity: copies of this one, or what it is a copy of."""
        own = self()
        of_same = [name for name in self._objects.folders("") if name.startswith(self._me.identity)]
        return [f"{name}/" for name in of_same if f"{name}/" != own]


def _in_folder(root: Path, me: Holder, others: Callable[[], Sequence[Path]]) -> tuple[Blobs, Blobs]:
    if not root.is_dir():
        raise InvalidInput(
            f"PARETOSCOPE_FILES_URL names the folder {root}, which is not there. Make it, or mount the disk it is on; it is not "
            "made by itself, for then files would go astray while a disk is not mounted."
        )
    place = root / me.identity
    with plain_failures(f"opening {place}"):
        private_folder(place)
    holder = read_record(place / RECORD)
    if holder is None and not (place / RECORD).exists():
        holder = claim_record(place / RECORD, me)
    if holder is None:
        raise StorageFailed(
            f"The record {place / RECORD} cannot be read. Put it back from a copy; it says whose files these are."
        )
    if holder != me:
        place = root / me.prefix
        with plain_failures(f"opening {place}"):
            private_folder(place)

    def further(part: str) -> list[Path]:
        return [path / part for path in sorted(root.glob(f"{me.identity}*")) if path != place]

    return (
        BlobStore(place / FOLDER, others=lambda: [*others(), *further(FOLDER)], trash=place / TRASH),
        BlobStore(place / "uploads", others=lambda: further("uploads"), trash=place / f"{TRASH}-uploads"),
    )
