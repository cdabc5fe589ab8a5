"""Files in an object store, by their SHA-256 below the prefix of one database.

    <url>/<identity>/blobs/<sha256>             what rows name
    <url>/<identity>/trash/<day>/<sha256>       what none named any more, by the day it was put there
    <url>/<identity>/holds/<id>                 while a backup reads: meanwhile nothing is removed, only put away
    <url>/<identity>/store.json                 whose prefix this is

An object store writes an object whole or not at all, and knows no rename: writing is one put, over whatever is there, for the
same name is the same content; it is acknowledged after the store has said so and shown it again. Moving is a copy, then a delete.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from core.errors import CoreError, DamagedArtifact, DataUnavailable, StorageFailed
from core.store.blobs import DAY, last_day
from core.store.file_cache import FileCache
from core.store.objects import Objects, Stored, age, each_name
from core.store.places import SHA256, Blobs

_SHOWN_AGAIN = 1 << 20
"""Bytes up to which a file that was written is read again before it is acknowledged; of larger ones the size is asked."""
_AT_ONCE = 8
_STALE_HOLD = 86_400.0


class ObjectBlobs(Blobs):
    """The files of one database in an object store."""

    def __init__(
        self,
        objects: Objects,
        prefix: Callable[[], str],
        cache: FileCache,
        *,
        part: str = "blobs",
        others: Callable[[], Sequence[Path]] = tuple,
        further: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        """Nothing is asked yet.

        Args:
            objects: the store.
            prefix: of this database, ending with a slash; asked for when it is first needed.
            cache: copies on this machine.
            part: which files of the database: "blobs" or "uploads".
            others: folders of this machine to read from as well.
            further: further prefixes to read from.
        """
        self.place = objects.place
        self._objects, self._prefix, self._cache, self._part = objects, prefix, cache, part
        self._others, self._further = others, further

    def put(self, data: bytes) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        self.require_room(len(data))
        for _ in range(2):
            self._objects.put(self._name(sha256), data)
            if self._shown_again(sha256, data):
                return sha256
        raise StorageFailed(
            f"The object store {self.place} said that it kept a file and does not have it, so saving it failed. Everything "
            "saved before is intact: try again, and look at the store."
        )

    def _shown_again(self, sha256: str, data: bytes) -> bool:
        try:
            if len(data) > _SHOWN_AGAIN:
                return self._objects.size(self._name(sha256)) == len(data)
            return self._objects.get(self._name(sha256)) == data
        except DataUnavailable as error:
            raise StorageFailed(str(error)) from None

    def get(self, sha256: str) -> bytes:
        data = self._cache.find(sha256)
        if data is None:
            data = self._fetched(sha256)
            with suppress(StorageFailed):  # a full disk here takes nothing away there
                self._cache.keep(sha256, data)
        return data

    def locate(self, sha256: str) -> Path:
        data = self._cache.find(sha256)
        if data is not None:
            return self._cache.folder / sha256
        return self._cache.keep(sha256, self._fetched(sha256))

    def verify(self, sha256: str) -> None:
        try:
            self._fetched(sha256, here=False)
        except DamagedArtifact:
            if any(hashlib.sha256(data).hexdigest() == sha256 for data in self._from_others(sha256)):
                raise DamagedArtifact(
                    f"The stored file {sha256[:12]} lies in the home of this machine alone; `python -m core move-files --to "
                    f"{self.place}` copies it to where all servers find it."
                ) from None
            raise

    def holds(self, sha256: str) -> bool:
        return any(hashlib.sha256(data).hexdigest() == sha256 for data in self._from_store(sha256))

    def _fetched(self, sha256: str, *, here: bool = True) -> bytes:
        """What is kept durably, from wherever it is, in folders of this machine only if `here`."""
        changed, away = False, ""
        reads = [
            self._from_store,
            *([self._from_others] if here else []),
            self._from_further,
            self._from_trash,
        ]
        for read in reads:
            try:
                for data in read(sha256):
                    if hashlib.sha256(data).hexdigest() == sha256:
                        return data
                    changed = True
            except DataUnavailable as error:
                away = away or str(error)
        if away:
            raise DataUnavailable(away)
        if changed:
            raise DamagedArtifact(f"The stored file {sha256[:12]} has changed since it was saved.")
        raise DamagedArtifact(f"The stored file {sha256[:12]} is missing or cannot be read.")

    def _from_store(self, sha256: str) -> Iterator[bytes]:
        for _ in range(2):  # what came differently may have changed on the way alone
            data = self._objects.get(self._name(sha256))
            if data is None:
                return
            yield data

    def _from_others(self, sha256: str) -> Iterator[bytes]:
        for folder in self._others():
            with suppress(OSError):
                yield (folder / sha256).read_bytes()

    def _from_further(self, sha256: str) -> Iterator[bytes]:
        for prefix in self._further():
            data = self._objects.get(f"{prefix}{self._part}/{sha256}")
            if data is not None:
                yield data

    def _from_trash(self, sha256: str) -> Iterator[bytes]:
        for day in reversed(self._days()):
            data = self._objects.get(f"{self._trash}{day}/{sha256}")
            if data is not None:
                if hashlib.sha256(data).hexdigest() == sha256:
                    with suppress(CoreError):
                        self._objects.move(f"{self._trash}{day}/{sha256}", self._name(sha256))
                yield data

    def has(self, sha256: str) -> bool:
        return self._objects.size(self._name(sha256)) is not None

    def names(self, *, older_than: float = 0.0) -> set[str]:
        return {name for name, stored in self._listed() if not older_than or age(stored) >= older_than}

    def sizes(self) -> dict[str, int]:
        return {name: stored.size for name, stored in self._listed()}

    def _listed(self) -> Iterator[tuple[str, Stored]]:
        folder = f"{self._prefix()}{self._part}/"
        yield from (
            each for each in each_name(self._objects.below(folder), folder) if SHA256.fullmatch(each[0])
        )

    def thrown(self) -> set[str]:
        return {name for _, name, _ in self._thrown()}

    def put_back(self, wanted: Collection[str]) -> int:
        if not wanted:
            return 0
        found = {name: f"{self._trash}{day}/{name}" for day, name, _ in self._thrown() if name in wanted}

        def back(name: str) -> bool:
            return not self.has(name) and self._objects.move(found[name], self._name(name))

        return sum(_together(back, found))

    def put_away(self, sha256s: Collection[str]) -> None:
        today = time.strftime("%Y-%m-%d")

        def away(sha256: str) -> None:
            self._objects.move(self._name(sha256), f"{self._trash}{today}/{sha256}")
            self._cache.drop(sha256)

        _together(away, sorted(sha256s))

    def remove(self, sha256: str) -> None:
        if any(age(stored) < _STALE_HOLD for stored in self._objects.below(self._holds)):
            self.put_away([sha256])
            return
        self._objects.delete(self._name(sha256))
        self._cache.drop(sha256)

    def sweep_temporary(self) -> int:
        stale = [s.name for s in self._objects.below(self._holds) if age(s) >= _STALE_HOLD]
        for name in stale:
            self._objects.delete(name)
        return len(stale)

    def empty_trash(self, older_than_days: int) -> tuple[int, int]:
        old = [
            (f"{self._trash}{day}/{name}", size)
            for day, name, size in self._thrown()
            if day <= last_day(older_than_days)
        ]
        _together(self._objects.delete, [name for name, _ in old])
        return len(old), sum(size for _, size in old)

    @contextmanager
    def held(self) -> Iterator[None]:
        hold = f"{self._holds}{uuid.uuid4().hex}"
        self._objects.put(hold, b"a backup reads\n")
        try:
            yield
        finally:
            with suppress(CoreError):  # after a day it counts no more
                self._objects.delete(hold)

    def copy_to(self, sha256: str, target: Path) -> bool:
        try:
            data = self._fetched(sha256)
        except DamagedArtifact:
            return False
        target.touch(0o600)
        target.write_bytes(data)
        return True

    def _thrown(self) -> list[tuple[str, str, int]]:
        """(day, hash, bytes) of what lies in the trash and is named as ours are."""
        found = []
        for rest, stored in each_name(self._objects.below(self._trash), self._trash):
            day, _, name = rest.partition("/")
            if DAY.fullmatch(day) and SHA256.fullmatch(name):
                found.append((day, name, stored.size))
        return sorted(found)

    def _days(self) -> list[str]:
        return [day for day in self._objects.folders(self._trash) if DAY.fullmatch(day)]

    def _name(self, sha256: str) -> str:
        return f"{self._prefix()}{self._part}/{sha256}"

    @property
    def _trash(self) -> str:
        return f"{self._prefix()}{'trash' if self._part == 'blobs' else f'trash-{self._part}'}/"

    @property
    def _holds(self) -> str:
        return f"{self._prefix()}holds/"


def _together(call: Callable[[str], object], names: Iterable[str]) -> list[bool]:
    """A call for each name, several at a time, for a store far away answers each after a moment; what fails is raised."""
    wanted = list(names)
    if len(wanted) < 2:
        return [bool(call(name)) for name in wanted]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return [bool(done) for done in pool.map(call, wanted)]
