"""What a place of files promises, whether it is a folder (`core.store.blobs`) or an object store (`core.store.object_blobs`).

A file is written whole or not at all, verified whenever it is read, and acknowledged only when it is durable. What no row names
goes to a trash with a date and comes back when it is named again; what is not known is never deleted.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

SHA256 = re.compile(r"[0-9a-f]{64}")


class Blobs(ABC):
    """Immutable files of one database, named by the SHA-256 of their content.

    A method that returns has done durably what it says; one that raises has lost nothing. Threads may share it.
    """

    place: str
    """Where the files are, as a person writes it."""
    is_elsewhere = False
    """Whether the place may be somebody else's as well, so that nothing may be moved or removed there."""
    require_room: Callable[[int], None] = staticmethod(lambda n_bytes: None)
    """Raises where so many more bytes may not be kept."""

    @abstractmethod
    def put(self, data: bytes) -> str:
        """Keep `data` so that it survives a power cut, and return its SHA-256; a damaged copy is replaced.

        Raises:
            StorageFailed: it was refused, or there is no room; nothing that was there before has changed.
        """

    @abstractmethod
    def get(self, sha256: str) -> bytes:
        """The content, verified.

        Raises:
            DamagedArtifact: the file is missing or its content has changed.
            DataUnavailable: it cannot be reached now.
        """

    @abstractmethod
    def locate(self, sha256: str) -> Path:
        """A verified file on this machine, to read and not to change; raises as `get`."""

    @abstractmethod
    def verify(self, sha256: str) -> None:
        """Read what is kept durably and compare it, whatever is cached; raises as `get`."""

    @abstractmethod
    def has(self, sha256: str) -> bool:
        """Whether this database's own place has a file of that name; asked under the database's write lock."""

    @abstractmethod
    def holds(self, sha256: str) -> bool:
        """Whether this database's own place has a file, and whole: it is read for it, not from a copy.

        Raises:
            DataUnavailable: it cannot be reached now.
        """

    @abstractmethod
    def names(self, *, older_than: float = 0.0) -> set[str]:
        """The hashes of all files of this database's own place that are at least so many seconds old."""

    @abstractmethod
    def thrown(self) -> set[str]:
        """The hashes of what lies in the trash."""

    @abstractmethod
    def put_back(self, wanted: Collection[str]) -> int:
        """Take files out of the trash that rows name again; returns how many."""

    @abstractmethod
    def put_away(self, sha256s: Collection[str]) -> None:
        """Move files that nobody names into the trash of today; the caller holds the database's write lock."""

    @abstractmethod
    def remove(self, sha256: str) -> None:
        """Remove a file that was known and that no row names any more; the caller holds the write lock."""

    @abstractmethod
    def sweep_temporary(self) -> int:
        """Remove what killed writers left half written; returns how many."""

    @abstractmethod
    def empty_trash(self, older_than_days: int) -> tuple[int, int]:
        """Delete what was put away at least so long ago: how many files, how many bytes."""

    @abstractmethod
    def sizes(self) -> dict[str, int]:
        """Bytes of each file of this database's own place, by its hash."""

    def held(self) -> AbstractContextManager[None]:
        """Meanwhile what `remove` takes away can still be had, by whoever copies files (`copy_to`)."""
        return nullcontext()

    def link(self, sha256: str, target: Path) -> None:  # noqa: B027 (most places have no links)
        """Give a file a second name at once where that is possible; asked under the write lock. Nothing is verified."""

    @abstractmethod
    def copy_to(self, sha256: str, target: Path) -> bool:
        """Copy a file, not verified; False if there is none."""

    def without_limit(self) -> Blobs:
        """The same place, asking no quota."""
        return self
