"""Files by their SHA-256: written whole or not at all, verified whenever they are read.

Order of writing: temporary file in the same folder, fsync, rename, fsync of the folder. A kill at any
moment leaves either the old state or the new one, plus at most a temporary file that `sweep` removes. A
writer holds a lock on its temporary file, so sweeping never takes a file that is being written.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Collection
from pathlib import Path

from core.errors import DamagedArtifact
from core.store.failures import plain_failures

try:
    import fcntl
except ImportError:  # Windows: an open file cannot be removed there, which serves as the lock
    fcntl = None  # type: ignore[assignment]

_TMP = ".tmp-"


class BlobStore:
    """A folder of immutable files named by the SHA-256 of their content."""

    def __init__(self, folder: Path) -> None:
        """Create the folder if needed, and prove that it can be written to.

        Raises:
            StorageFailed: it cannot.
        """
        self.folder = folder
        with plain_failures(f"opening {folder.parent}"):
            if not folder.is_dir():
                folder.mkdir(parents=True, exist_ok=True)
                _fsync_folder(folder.parent)
            probe = folder / f"{_TMP}probe-{uuid.uuid4().hex}"
            probe.touch()
            probe.unlink(missing_ok=True)

    def path(self, sha256: str) -> Path:
        return self.folder / sha256

    def put(self, data: bytes) -> str:
        """Write `data` so that it survives a power cut, and return its SHA-256.

        An existing good copy is kept; a damaged one is replaced.

        Raises:
            StorageFailed: the disk refused; nothing that was there before has changed.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        with plain_failures(f"saving {_size(len(data))}"):
            if not self._holds(sha256):
                try:
                    self._write(sha256, data)
                except FileNotFoundError:  # swept in the instant between its creation and its lock
                    self._write(sha256, data)
            # Also for an existing file: whoever renamed it may have died before this line.
            _fsync_folder(self.folder)
        return sha256

    def get(self, sha256: str) -> bytes:
        """The content, verified.

        Raises:
            DamagedArtifact: the file is missing or its content has changed.
        """
        try:
            data = self.path(sha256).read_bytes()
        except OSError as error:
            raise DamagedArtifact(f"The stored file {sha256[:12]} is missing or cannot be read.") from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise DamagedArtifact(f"The stored file {sha256[:12]} has changed since it was saved.")
        return data

    def remove(self, sha256: str) -> None:
        with plain_failures("removing a file"):
            self.path(sha256).unlink(missing_ok=True)

    def names(self) -> set[str]:
        """The hashes of all files."""
        return {entry.name for entry in self.folder.iterdir() if not entry.name.startswith(_TMP)}

    def total_bytes(self) -> int:
        return sum(entry.stat().st_size for entry in os.scandir(self.folder) if entry.is_file())

    def sweep_temporary(self) -> int:
        """Remove temporary files whose writer is gone; returns how many."""
        return sum(_remove_orphan(entry) for entry in self.folder.iterdir() if entry.name.startswith(_TMP))

    def remove_all_but(self, keep: Collection[str]) -> int:
        """Remove files nobody refers to; the caller holds the database's write lock. Returns how many."""
        orphans = self.names() - set(keep)
        for sha256 in orphans:
            self.remove(sha256)
        return len(orphans)

    def _holds(self, sha256: str) -> bool:
        try:
            self.get(sha256)
        except DamagedArtifact:
            return False
        return True

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


def _fsync_folder(folder: Path) -> None:
    if os.name != "posix":  # Windows cannot open a folder; NTFS journals renames
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:.1f} MB" if n_bytes >= 1e5 else f"{n_bytes / 1e3:.1f} kB"
