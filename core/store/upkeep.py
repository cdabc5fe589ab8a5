"""Looking after what is stored: damage, the trash, backups, moving, and what it takes, as a part of the store."""

from __future__ import annotations

from pathlib import Path

from core.people import Action, require
from core.store.blobs import empty_trash
from core.store.check import find_damage
from core.store.copying import copy_in, copy_out
from core.store.database import Database
from core.store.failures import plain_failures
from core.store.files import Files
from core.store.home import TRASH
from core.store.moving import Moved, Report, move_files
from core.store.places import Blobs
from core.store.rows import DamagedRow, damaged_rows, remove_damaged_row
from core.store.shared_uploads import SharedUploads
from core.store.storage import StorageUse, storage_use
from core.store.uploads import used_uploads


class UpkeepPart:
    """What `RunStore` does for that."""

    home: Path
    _database: Database
    _blobs: Blobs
    _files: Files
    _shared: SharedUploads | None

    def repair(self, data: bytes) -> None:
        """Write a file that rows name once more: a missing or changed one is whole afterwards."""
        require(Action.UPLOAD)
        self._blobs.put(data)

    def damaged(self, table: str | None = None) -> list[DamagedRow]:
        """Runs and supernets whose rows have changed on the disk, or those of one table.

        Args:
            table: "runs" or "supernets".
        """
        with self._database.read(tolerant=True) as connection:
            return damaged_rows(connection, table)

    def remove_damaged(self, row: DamagedRow) -> bool:
        """Remove a damaged row with what belongs to it; False if it is gone, or whole again.

        Its files, which nothing can name any more, go to the trash at the next start.
        """
        with self._database.write("removing a damaged row") as connection:
            return remove_damaged_row(connection, row)

    def check(self) -> list[str]:
        """One plain sentence per damaged row or file; empty if all is well.

        Raises:
            NotAllowed: who asks may only look: it reads everything there is.
        """
        require(Action.CHECK)
        return find_damage(self._files)

    def sweep(self) -> int:
        """Remove what a killed process left half written, and move files no row names to the trash.

        Returns how many. Only this database's own folder is touched, and nothing through a link.
        """
        return self._files.sweep()

    def empty_trash(self, older_than_days: int = 0) -> tuple[int, int]:
        """Delete what the trash holds, as a person asked: how many files, how many bytes.

        Args:
            older_than_days: keep what was put there in the last so many days.
        """
        require(Action.EMPTY_TRASH)
        self._files.put_back()
        self._files.put_back_uploads()
        with plain_failures("emptying the trash"):
            here = empty_trash(self.home / TRASH, older_than_days)
            places = [self._blobs, *([self._shared.blobs] if self._shared else [])]
            there = [each.empty_trash(older_than_days) for each in places]
        return here[0] + sum(n for n, _ in there), here[1] + sum(size for _, size in there)

    def copy_out(self, place: Path) -> list[str]:
        """All rows and files as they are at one moment, in a new folder; see `core.store.copying`.

        Uploads that rows name and this machine lacks are brought to it.
        """
        self._bring_uploads()
        return copy_out(self._files, place)

    def copy_in(self, place: Path) -> int:
        """What `copy_out` made, into this store, which must hold nothing; see `core.store.copying`."""
        if self._shared is not None:
            self._shared.share_all()
        return copy_in(self._files, place)

    def move_files(
        self, url: str, *, put_away: bool = False, report: Report = lambda done, total: None
    ) -> Moved:
        """Copy all files to another place, "" for the home, compared there; see `core.store.moving`."""
        require(Action.BACK_UP)
        return move_files(self._files, self.home, url, put_away=put_away, report=report)

    def storage(self) -> list[StorageUse]:
        """What takes how much of the disk, with what can be done about it."""
        with plain_failures("measuring the storage"):
            return storage_use(self.home, self._database, self._blobs)

    def storage_bytes(self) -> int:
        """Bytes on the disk: files, uploads, trash, and the database where it is a file."""
        return sum(part.bytes for part in self.storage())

    def _bring_uploads(self) -> None:
        """Bring here what requests and cards name and other servers were given."""
        if self._shared is not None:
            with self._database.read() as connection:
                used = used_uploads(connection)
            self._shared.bring_all(sorted(used & self._shared.blobs.names()))
