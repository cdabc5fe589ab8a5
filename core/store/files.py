"""Files and the rows that name them, kept together.

A file is written before its row and removed after it, so a row never names a file that is not there.
Removal happens under the database's write lock and only if no row names the content any more; whoever
adds a row checks under the same lock that the file is still there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection

from core.errors import CoreError
from core.store.blobs import BlobStore
from core.store.database import Database
from core.store.naming import named_files
from core.store.uploads import put_away_uploads


class Files:
    """The files of one database, in a folder that is its own."""

    def __init__(self, database: Database, blobs: BlobStore, uploads: Path | None = None) -> None:
        """Made by `RunStore`.

        Args:
            database: whose rows name the files.
            blobs: the files.
            uploads: folder of uploaded images, if this database is the one to judge them.
        """
        self.database = database
        self.blobs = blobs
        self.uploads = uploads
        self.used_elsewhere: Callable[[], set[str]] = set

    def secure(self, sha256: str, data: bytes) -> None:
        """Called under the write lock before adding a row: writes the file again if it was swept."""
        if not self.blobs.path(sha256).exists():
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
        with suppress(CoreError), self.database.write("moving files to the trash") as connection:
            unnamed = wanted - named_files(connection, wanted)
            if not self.blobs.is_elsewhere:
                self.blobs.to_trash([path for each in unnamed if (path := self.blobs.path(each)).exists()])

    def put_back(self) -> None:
        """Take out of the trash what rows name."""
        with self.database.write("putting files back") as connection:
            self.blobs.put_back(named_files(connection))

    def sweep(self) -> int:
        """Remove temporary files, and move unreferenced ones to the trash; returns how many.

        What rows name and the trash holds comes back first. A folder that is a link to another place is
        left as it is.
        """
        with self.database.write("moving old files to the trash") as connection:
            named = named_files(connection)
            self.blobs.put_back(named)
            if self.blobs.is_elsewhere:
                return 0
            moved = self._put_away_uploads(connection)
            return moved + self.blobs.sweep_temporary() + self.blobs.trash_all_but(named)

    def _put_away_uploads(self, connection: Connection) -> int:
        if self.uploads is None:
            return 0
        return put_away_uploads(self.uploads, connection, self.blobs, self.used_elsewhere)
