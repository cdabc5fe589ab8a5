"""Files by their SHA-256: written whole or not at all, verified whenever they are read.

Order of writing: temporary file in the same folder, fsync, rename, fsync of the folder. A kill at any
moment leaves either the old state or the new one, plus at most a temporary file that `sweep_temporary`
removes. A writer holds a lock on its temporary file, so sweeping never takes a file that is being written.

A store writes and removes in one folder only, its own. It reads in those of other databases as well, and
in the trash, where sweeping puts what no row names: never out of existence, and back when it is wanted.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from core.errors import DamagedArtifact
from core.store.failures import plain_failures
from core.store.private import private_folder

try:
    import fcntl
except ImportError:  # Windows: an open file cannot be removed there, which serves as the lock
    fcntl = None  # type: ignore[assignment]

_TMP = ".tmp-"
_TEMPORARY = re.compile(r"\.tmp-(probe-)?[0-9a-f]{32}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def hashes_in(folder: Path) -> set[str]:
    """The files of a folder that are named as we name them; links and foreign files are not ours."""
    try:
        return {
            entry.name
            for entry in os.scandir(folder)
            if _SHA256.fullmatch(entry.name) and entry.is_file(follow_symlinks=False)
        }
    except FileNotFoundError:
        return set()


class BlobStore:
    """A folder of immutable files named by the SHA-256 of their content."""

    def __init__(
        self, folder: Path, *, others: Callable[[], Sequence[Path]] = tuple, trash: Path | None = None
    ) -> None:
        """Create the folder if needed, and prove that it can be written to.

        Args:
            folder: where this store writes and removes.
            others: further folders to read from.
            trash: where swept files go, in a folder per day; beside `folder` if None.

        Raises:
            StorageFailed: the folder cannot be written to.
        """
        self.folder = folder
        self.trash = trash or folder.parent / "trash"
        self._others = others
        self.require_room: Callable[[int], None] = lambda n_bytes: None
        """Raises where so many more bytes may not be kept."""
        with plain_failures(f"opening {folder.parent}"):
            if not folder.is_dir():
                private_folder(folder)
                fsync_folder(folder.parent)
            private_folder(folder)
            probe = folder / f"{_TMP}probe-{uuid.uuid4().hex}"
            probe.touch()
            probe.unlink(missing_ok=True)

    @property
    def is_elsewhere(self) -> bool:
        """Whether the folder is a link to another place, which may be somebody else's."""
        return self.folder.resolve() != self.folder.parent.resolve() / self.folder.name

    def path(self, sha256: str) -> Path:
        """Where this store keeps, or would keep, a file."""
        return self.folder / sha256

    def locate(self, sha256: str) -> Path:
        """The verified file, to read and not to change.

        Raises:
            DamagedArtifact: the file is missing or its content has changed.
        """
        return self._verified(sha256)[0]

    def put(self, data: bytes) -> str:
        """Write `data` so that it survives a power cut, and return its SHA-256.

        An existing good copy is kept; a damaged one is replaced.

        Raises:
            StorageFailed: the disk refused, or there is no room; nothing that was there before has changed.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        with plain_failures(f"saving {_size(len(data))}"):
            if not self._holds(sha256):
                self.require_room(len(data))
                try:
                    self._write(sha256, data)
                except FileNotFoundError:  # swept in the instant between its creation and its lock
                    self._write(sha256, data)
            # Also for an existing file: whoever renamed it may have died before this line.
            fsync_folder(self.folder)
        return sha256

    def get(self, sha256: str) -> bytes:
        """The content, verified.

        Raises:
            DamagedArtifact: the file is missing or its content has changed.
        """
        return self._verified(sha256)[1]

    def _verified(self, sha256: str) -> tuple[Path, bytes]:
        changed = False
        for path in self.places(sha256):
            try:
                data = path.read_bytes()
            except OSError:
                continue
            if hashlib.sha256(data).hexdigest() != sha256:
                changed = True
                continue
            if self.trash in path.parents:
                path = self._put_back(path)
            return path, data
        if changed:
            raise DamagedArtifact(f"The stored file {sha256[:12]} has changed since it was saved.")
        raise DamagedArtifact(f"The stored file {sha256[:12]} is missing or cannot be read.")

    def places(self, sha256: str) -> Iterator[Path]:
        """Where the file may lie, whether or not it does: here, in other folders, in the trash."""
        yield self.path(sha256)
        if _SHA256.fullmatch(sha256):
            yield from (folder / sha256 for folder in self._others() if folder != self.folder)
            yield from self._in_trash(sha256)

    def _in_trash(self, name: str) -> list[Path]:
        return sorted(self.trash.glob(f"*/{name}"), reverse=True)

    def _put_back(self, path: Path) -> Path:
        target = self.path(path.name)
        try:
            path.replace(target)
            fsync_folder(self.folder)
        except OSError:  # a read-only disk, or another process was faster
            return target if target.exists() else path
        return target

    def remove(self, sha256: str) -> None:
        with plain_failures("removing a file"):
            self.path(sha256).unlink(missing_ok=True)

    def names(self) -> set[str]:
        """The hashes of all files of this store's own folder."""
        return hashes_in(self.folder)

    def sweep_temporary(self) -> int:
        """Remove temporary files whose writer is gone; returns how many."""
        return sum(
            _remove_orphan(entry) for entry in self.folder.iterdir() if _TEMPORARY.fullmatch(entry.name)
        )

    def put_back(self, wanted: Collection[str]) -> int:
        """Take files out of the trash that rows name again; returns how many."""
        found = {path.name: path for path in sorted(self.trash.glob("*/*")) if path.name in wanted}
        missing = [path for name, path in found.items() if not self.path(name).exists()]
        return sum(self._put_back(path).parent == self.folder for path in missing)

    def trash_all_but(self, keep: Collection[str]) -> int:
        """Move files nobody refers to into the trash of today; returns how many.

        The caller holds the database's write lock. Nothing is moved through a link to another folder.
        """
        unnamed = set() if self.is_elsewhere else self.names() - set(keep)
        if unnamed:
            self.to_trash([self.path(name) for name in sorted(unnamed)])
        return len(unnamed)

    def to_trash(self, files: Sequence[Path]) -> None:
        """Move files into the trash of today."""
        today = self.trash / time.strftime("%Y-%m-%d")
        with plain_failures("moving files to the trash"):
            private_folder(self.trash)
            private_folder(today)
            for file in files:
                file.replace(today / file.name)
            fsync_folder(today)
            for folder in {file.parent for file in files}:
                fsync_folder(folder)

    def _holds(self, sha256: str) -> bool:
        """Whether this store's own folder has the file, whole (it may come back from the trash)."""
        try:
            return self._verified(sha256)[0].parent == self.folder
        except DamagedArtifact:
            return False

    def _write(self, sha256: str, data: bytes) -> None:
        tmp = self.folder / f"{_TMP}{uuid.uuid4().hex}"
        descriptor = os.open(tmp, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            try:
                if fcntl is not None:
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
                view = memoryview(data)
                while view:
                    view = view[os.write(descriptor, view) :]
                os.fsync(descriptor)
                if fcntl is not None:  # the lock is held until after the rename
                    tmp.replace(self.path(sha256))
            finally:
                os.close(descriptor)
            if fcntl is None:
                tmp.replace(self.path(sha256))
        except BaseException:
            tmp.unlink(missing_ok=True)
            raise


def _remove_orphan(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
            return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    try:
        path.unlink()
    except OSError:
        return False
    return True


def fsync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    if os.name != "posix":  # Windows cannot open a folder; NTFS journals renames
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:.1f} MB" if n_bytes >= 1e5 else f"{n_bytes / 1e3:.1f} kB"
