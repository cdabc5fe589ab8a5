"""Sandboxes: a store of its own for each student of a class, below `<home>/sandboxes/<id>/`.

Isolation comes from where things are, not from a condition in every query: whoever holds a sandbox's store cannot name
anything of another. A sandbox has its own database file, files and trash; data sets and uploads, which are found by
their content's hash alone, lie with the home's. Who has which sandbox is the class's business.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy import text

from core.config import JsonObject
from core.errors import CoreError, StorageFailed
from core.settings import settings
from core.store import sandbox_folders
from core.store.blobs import fsync_folder
from core.store.failures import plain_failures
from core.store.home import FOLDER as FILES
from core.store.home import SANDBOXES, TRASH
from core.store.ledger import plain_json
from core.store.private import private_folder
from core.store.run_store import RunStore
from core.store.sandbox_folders import DATABASE
from core.store.storage import UPLOADS

PAUSED = "paused"
_MOST_OPEN = 96
_IN_USE = (
    "SELECT (page_count - freelist_count) * page_size "
    "FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()"
)


class Room:
    """What a sandbox holds and may hold; what lies in its trash counts only beyond as much again."""

    def __init__(self, folder: Path, most: int, database: Callable[[], int]) -> None:
        """Nothing is read yet.

        Args:
            folder: of the sandbox.
            most: bytes it may hold.
            database: bytes in use in its database; its file does not shrink when runs are deleted.
        """
        self.folder, self.most, self._database = folder, most, database

    def used(self) -> int:
        """Bytes of the database and of files, as they are now."""
        trash = sum(_size(path) for path in (self.folder / TRASH).rglob("*"))
        files = sum(_size(path) for path in (self.folder / FILES).glob("*"))
        return self._database() + files + max(0, trash - self.most)

    def require(self, n_bytes: int) -> None:
        """Raise `StorageFailed` where so much more does not fit; nothing that is there changes."""
        used = self.used()
        if used + n_bytes >= self.most:
            raise StorageFailed(
                f"This needs more room than is left of your {self.most / 1e6:.0f} MB in this class ({used / 1e6:.1f} MB "
                "used). Nothing was lost: delete runs you no longer need on the Runs page, then try again."
            )


class SandboxStore(RunStore):
    """The store of one sandbox; refuses what does not fit into it."""

    sandbox_id: str
    _connections: ClassVar[int] = 1  # kept open; thirty are open in a class

    def __init__(self, sandbox_id: str, folder: Path) -> None:
        """Open or create it.

        Raises:
            StorageFailed, DamagedArtifact: as `RunStore`.
        """
        super().__init__(f"sqlite:///{folder / DATABASE}", folder)
        self.sandbox_id = sandbox_id
        self._database.gate = None  # students keep the rules of their class
        self.room = Room(folder, settings().sandbox_bytes, self._database_bytes)
        self._blobs.require_room = self.room.require

    def _database_bytes(self) -> int:
        with self._database.read("measuring the sandbox") as connection:
            return int(connection.execute(text(_IN_USE)).scalar_one())

    def environment(self) -> dict[str, str]:
        home = self.home.parent.parent
        return {
            **super().environment(),
            "PARETOSCOPE_HOME": str(home),
            "PARETOSCOPE_SANDBOX": self.sandbox_id,
        }

    def create_run(self, kind: str, params: JsonObject, **more: Any) -> str:
        """As `RunStore.create_run`; uploads that the sandbox's runs name count as its own.

        Raises:
            StorageFailed: the sandbox is full.
        """
        home = self.home.parent.parent
        named = sandbox_folders.uploads_of(home, self.sandbox_id) | sandbox_folders.uploads_in(
            plain_json(params)
        )
        uploads = home / UPLOADS
        self.room.require(sum(_size(path) for path in uploads.glob("*") if path.name[:64] in named))
        return super().create_run(kind, params, **more)


class Sandboxes:
    """The sandboxes of a home; opened once each, threads may share it."""

    def __init__(self, home: Path) -> None:
        """Nothing is read or made yet; `home` is the main store's."""
        self.home = home.absolute()
        self.folder = self.home / SANDBOXES
        self._lock = threading.RLock()
        self._open: OrderedDict[str, SandboxStore] = OrderedDict()
        self._last_use = float("-inf")

    def open(self, sandbox_id: str) -> SandboxStore:
        """The store of a sandbox, made if there is none yet.

        Raises:
            InvalidInput: the text is no id.
            StorageFailed, DamagedArtifact: as `RunStore`.
        """
        self._last_use = time.monotonic()
        known = self._open.get(sandbox_id)
        if known is not None:
            return known
        folder = self._place(sandbox_id)
        with self._lock:
            if sandbox_id not in self._open:
                with plain_failures(f"opening {self.folder}"):
                    private_folder(self.folder)
                self._open[sandbox_id] = SandboxStore(sandbox_id, folder)
                if len(self._open) > _MOST_OPEN:  # its connections close; whoever holds it may go on using it
                    self._open.popitem(last=False)[1].close()
            return self._open[sandbox_id]

    def find(self, sandbox_id: str) -> SandboxStore | None:
        """The store of a sandbox; None where nothing was ever kept in it."""
        return self.open(sandbox_id) if (self._place(sandbox_id) / DATABASE).is_file() else None

    def ids(self) -> list[str]:
        """Every sandbox of this home."""
        return sandbox_folders.ids(self.home)

    def in_use(self, seconds: float) -> bool:
        """Whether any sandbox was asked for in the last so many seconds."""
        return time.monotonic() - self._last_use < seconds

    def used_bytes(self, sandbox_id: str) -> int:
        """What a sandbox holds; 0 where nothing was ever kept."""
        in_use = lambda: sum(row[0] for row in sandbox_folders.rows(self.home, sandbox_id, _IN_USE))  # noqa: E731
        return Room(self._place(sandbox_id), settings().sandbox_bytes, in_use).used()

    def unfinished(self) -> list[str]:
        """Those with runs that wait, run, or were interrupted; none is opened for it."""
        return sandbox_folders.unfinished(self.home)

    def pause(self, sandbox_id: str, paused: bool) -> None:
        """Keep in the sandbox that none of its jobs may start, or that they may.

        Raises:
            StorageFailed: the disk refused it.
        """
        mark = self._place(sandbox_id) / PAUSED
        with plain_failures("pausing jobs"):
            if not paused:
                mark.unlink(missing_ok=True)
            elif mark.parent.is_dir() or self.open(sandbox_id):
                mark.touch(mode=0o600)

    def paused(self, sandbox_id: str) -> bool:
        """Whether none of its jobs may start."""
        return (self._place(sandbox_id) / PAUSED).exists()

    def put_away(self, sandbox_id: str) -> Path | None:
        """Move a sandbox into the trash of today, for somebody said so; where it lies now, None if there is none.

        Moved back by hand it is there again as it was. Nothing may be running in it (`JobManager.put_away`).

        Raises:
            StorageFailed: the disk refused it.
        """
        folder = self._place(sandbox_id)
        with self._lock, plain_failures("moving a sandbox to the trash"):
            store = self._open.pop(sandbox_id, None)
            if store is not None:
                store.close()
            if not folder.is_dir():
                return None
            day = self.home / TRASH / time.strftime("%Y-%m-%d")
            private_folder(day.parent)
            private_folder(day)
            target = day / f"sandbox-{sandbox_id}"
            if target.exists():
                target = target.with_name(f"{target.name}-{uuid.uuid4().hex[:8]}")
            folder.rename(target)
            for changed in (day, self.folder):
                fsync_folder(changed)
            return target

    def check(self) -> list[str]:
        """One sentence per damaged row or file of any sandbox."""
        found = []
        for sandbox_id in self.ids():
            try:
                said = self.open(sandbox_id).check()
            except CoreError as error:
                said = [str(error)]
            found += [f"Sandbox {sandbox_id}: {sentence}" for sentence in said]
        return found

    def empty_trash(self, older_than_days: int) -> tuple[int, int]:
        """Delete what the trash of each sandbox holds: how many files, how many bytes."""
        emptied = [
            self.open(sandbox_id).empty_trash(older_than_days)
            for sandbox_id in self.ids()
            if (self._place(sandbox_id) / TRASH).is_dir()
        ]
        return sum(n for n, _ in emptied), sum(n_bytes for _, n_bytes in emptied)

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()

    def _place(self, sandbox_id: str) -> Path:
        return sandbox_folders.folder_of(self.home, sandbox_id)


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:  # gone meanwhile
        return 0


def store_here() -> RunStore:
    """The store this process works for, as its environment says: the home's own, or a student's.

    Raises:
        StorageFailed, DamagedArtifact, InvalidInput: as `RunStore`.
    """
    where = settings()
    if where.sandbox:
        return Sandboxes(where.home).open(where.sandbox)
    return RunStore(where.database_url, where.home, where.files_url)
