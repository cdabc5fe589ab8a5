"""Files and the rows that name them, kept together.

A file is written before its row and removed after it, so a row never names a file that is not there.
Removal happens under the database's write lock and only if no row names the content any more; whoever
adds a row checks under the same lock that the file is still there.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from sqlalchemy import Connection, select, union

from core.errors import CoreError
from core.store.blobs import BlobStore
from core.store.database import Database
from core.store.schema import ArtifactRow, CheckpointRow, SupernetRow

_NAMING = (CheckpointRow.sha256, ArtifactRow.sha256, SupernetRow.sha256)


class Files:
    """The blobs of one database."""

    def __init__(self, database: Database, blobs: BlobStore) -> None:
        self.database = database
        self.blobs = blobs

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
            for sha256 in wanted - _named(connection, wanted):
                self.blobs.remove(sha256)

    def sweep(self) -> int:
        """Remove temporary and unreferenced files that a killed process left; returns how many."""
        removed = self.blobs.sweep_temporary()
        with self.database.write("removing old files") as connection:
            return removed + self.blobs.remove_all_but(_named(connection, None))


def _named(connection: Connection, among: set[str] | None) -> set[str]:
    queries = [
        select(column) if among is None else select(column).where(column.in_(among)) for column in _NAMING
    ]
    return set(connection.execute(union(*queries)).scalars())
