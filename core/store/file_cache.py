"""Copies of files that are kept far away, on this machine: verified whenever they are used, the oldest thrown out first."""

from __future__ import annotations

import hashlib
import os
import uuid
from contextlib import suppress
from pathlib import Path

from core.store.blobs import hashes_in
from core.store.failures import plain_failures
from core.store.private import private_folder

MOST_BYTES = 4 << 30
"""What the copies of one home may take."""
_PART = ".part-"


class FileCache:
    """A folder of copies, named by the SHA-256 of their content."""

    def __init__(self, folder: Path, most: int = MOST_BYTES) -> None:
        """Nothing is made yet; `most` bytes are kept, the newest copy whatever its size."""
        self.folder, self._most = folder, most

    def find(self, sha256: str) -> bytes | None:
        """The content of a copy whose hash still fits; a damaged one is thrown away."""
        path = self.folder / sha256
        try:
            data = path.read_bytes()
        except OSError:
            return None
        if hashlib.sha256(data).hexdigest() != sha256:
            with suppress(OSError):
                path.unlink()
            return None
        with suppress(OSError):
            os.utime(path)
        return data

    def keep(self, sha256: str, data: bytes) -> Path:
        """Keep a copy of verified content, and return its file.

        Raises:
            StorageFailed: the disk refused it.
        """
        target = self.folder / sha256
        with plain_failures("keeping a copy of a file"):
            private_folder(self.folder)
            part = self.folder / f"{_PART}{uuid.uuid4().hex}"
            try:
                part.touch(0o600)
                part.write_bytes(data)
                part.replace(target)
            finally:
                part.unlink(missing_ok=True)
        self._make_room(target)
        return target

    def drop(self, sha256: str) -> None:
        """Throw a copy away."""
        with suppress(OSError):
            (self.folder / sha256).unlink(missing_ok=True)

    def _make_room(self, newest: Path) -> None:
        with suppress(OSError):
            found = []
            for name in hashes_in(self.folder) - {newest.name}:
                with suppress(FileNotFoundError):
                    stat = (self.folder / name).stat()
                    found.append((stat.st_mtime_ns, name, stat.st_size))
            total = newest.stat().st_size
            for _, name, size in sorted(found, reverse=True):  # the latest used first
                total += size
                if total > self._most:
                    self.drop(name)
