"""Files and the rows that name them, kept together.

A file is written before its row and removed after it, so a row never names a file that is not there.
Removal happens under the database's write lock and only if no row names the content any more; whoever
adds a row checks under the same lock that the file is still there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection

from core.errors import CoreError
from core.store.database import Database
from core.store.naming import named_files
from core.store.places import Blobs
from core.store.uploads import KEPT_DAYS, put_away_uploads, used_uploads

_AT_ONCE = 100
"""Files put away under one hold of the write lock: an object store takes a moment for each."""


class Files:
    """The files of one database, in a place that is its own."""

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        uploads: Path | None = None,
        *,
        trash: Path | None = None,
        shared_uploads: Blobs | None = None,
    ) -> None:
        """Made by `RunStore`.

        Args:
            database: whose rows name the files.
            blobs: the files.
            uploads: this machine's folder of uploads, if this database is the one to judge them.
            trash: where unused ones of them go.
            shared_uploads: where uploads are for all servers; None where they share the folder.
        """
        self.database = database
        self.blobs = blobs
        self.uploads, self._trash = uploads, trash
        self.shared_uploads = shared_uploads
        self.used_elsewhere: Callable[[], set[str]] = set

    def secure(self, sha256: str, data: bytes) -> None:
        """Called under the write lock before adding a row: writes the file again if it was swept."""
        if not self.blobs.has(sha256):
            self.blobs.put(data)

    def forget(self, sha256s: Iterable[str]) -> None:
        """Remove those files that no row names any more; what fails is left for `sweep`."""
        wanted = set(sha256s)
        if not wanted:
            return
        with suppress(CoreError), self.database.write("removing old files") as connection:
            for sha256 in wanted - named_files(connection, wanted):
                self.blobs.remove(sha256)

    def put_away(self, sha256s: Iterable[str]) -> None:
        """Move those files to the trash that no row names any more; what fails is left for `sweep`."""
        wanted = set(sha256s)
        with suppress(CoreError), self.database.write("moving files to the trash", long=True) as connection:
            self.blobs.put_away(wanted - named_files(connection, wanted))

    def put_back(self) -> None:
        """Take out of the trash what rows name."""
        thrown = self.blobs.thrown()
        with self.database.write("putting files back", long=True) as connection:
            self.blobs.put_back(thrown & named_files(connection))

    def put_back_uploads(self) -> None:
        """Take uploads that all servers share out of the trash where rows name them."""
        thrown = self.shared_uploads.thrown() if self.shared_uploads is not None else set()
        if thrown and self.shared_uploads is not None:
            with self.database.write("putting files back") as connection:
                self.shared_uploads.put_back(thrown & used_uploads(connection))

    def sweep(self) -> int:
        """Remove temporary files, and move unreferenced ones to the trash; returns how many.

        What rows name and the trash holds comes back first. A folder that is a link to another place is
        left as it is. What there is is listed before the lock is taken, so that what others add meanwhile is not judged.
        """
        there, thrown = self.blobs.names(), self.blobs.thrown()
        with self.database.write("moving old files to the trash", long=True) as connection:
            named = named_files(connection)
            self.blobs.put_back(thrown & named)
            if self.blobs.is_elsewhere:
                return 0
            moved = self._put_away_uploads(connection) + self.blobs.sweep_temporary()
        for part in _parts(there - named):
            with self.database.write("moving old files to the trash", long=True) as connection:
                unnamed = part - named_files(connection, part)
                self.blobs.put_away(unnamed)
                moved += len(unnamed)
        return moved + self._sweep_shared_uploads()

    def _put_away_uploads(self, connection: Connection) -> int:
        if self.uploads is None or self._trash is None:
            return 0
        return put_away_uploads(self.uploads, connection, self._trash, self.used_elsewhere)

    def _sweep_shared_uploads(self) -> int:
        """As for the folder: what is named comes back, what nothing has named for some days is put away."""
        if self.shared_uploads is None:
            return 0
        old, thrown = self.shared_uploads.names(older_than=KEPT_DAYS * 86_400.0), self.shared_uploads.thrown()
        if not old and not thrown:
            return 0
        with self.database.write("moving old uploads to the trash") as connection:
            used = used_uploads(connection)
            self.shared_uploads.put_back(thrown & used)
            self.shared_uploads.put_away(old - used)
        return len(old - used)


def _parts(names: Collection[str]) -> Iterator[set[str]]:
    ordered = sorted(names)
    yield from (set(ordered[at : at + _AT_ONCE]) for at in range(0, len(ordered), _AT_ONCE))
