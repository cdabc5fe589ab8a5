"""Files by their SHA-256: written whole or not at all, verified whenever they are read.

What every place of files promises is `core.store.places.Blobs`; a folder is one kind of place, and this is it.

In a folder, which several machines may share, the order of writing: temporary file in the same folder, fsync, rename, fsync of the folder. A kill at any
moment leaves either the old state or the new one, plus at most a temporary file that `sweep_temporary`
removes. A writer holds a lock on its temporary file, so sweeping never takes a file that is being written;
locks need not reach another machine, so what one of those writes is left alone for a day.

A store writes and removes in one folder only, its own. It reads in those of other databases as well, and
in the trash, where sweeping puts what no row names: never out of existence, and back when it is wanted.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import platform
import re
import shutil
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from core.errors import DamagedArtifact
from core.store.failures import plain_failures
from core.store.places import SHA256, Blobs
from core.store.private import private_folder

try:
    import fcntl
except ImportError:  # Windows: an open file cannot be removed there, which serves as the lock
    fcntl = None  # type: ignore[assignment]

_TMP = ".tmp-"
_TEMPORARY = re.compile(r"\.tmp-(?:probe-)?(?:([0-9a-f]{8})-)?[0-9a-f]{32}")
_HERE = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
_FOREIGN_SECONDS = 86_400.0
"""How long a temporary file of another machine is left alone."""
DAY = re.compile(r"\d{4}-\d\d-\d\d")


def hashes_in(folder: Path) -> set[str]:
    """The files of a folder that are named as we name them; links and foreign files are not ours."""
    try:
        return {
            entry.name
            for entry in os.scandir(folder)
            if SHA256.fullmatch(entry.name) and entry.is_file(follow_symlinks=False)
        }
    except FileNotFoundError:
        return set()


class BlobStore(Blobs):
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
        self.place = str(folder)
        with plain_failures(f"opening {folder.parent}"):
            if not folder.is_dir():
                private_folder(folder)
                fsync_folder(folder.parent)
            private_folder(folder)
            probe = folder / f"{_TMP}probe-{uuid.uuid4().hex}"
            probe.touch()
            probe.unlink(missing_ok=True)

    @property
    def is_elsewhere(self) -> bool:  # type: ignore[override]
        """Whether the folder is a link to another place, which may be somebody else's."""
        return self.folder.resolve() != self.folder.parent.resolve() / self.folder.name

    def path(self, sha256: str) -> Path:
        """Where this store keeps, or would keep, a file."""
        return self.folder / sha256

    def locate(self, sha256: str) -> Path:
        return self._verified(sha256)[0]

    def verify(self, sha256: str) -> None:
        self._verified(sha256)

    def holds(self, sha256: str) -> bool:
        try:
            return self._verified(sha256)[0].parent == self.folder  # it may come back from the trash
        except DamagedArtifact:
            return False

    def has(self, sha256: str) -> bool:
        return self.path(sha256).exists()

    def put(self, data: bytes) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        with plain_failures(f"saving {_size(len(data))}"):
            if not self.holds(sha256):
                self.require_room(len(data))
                try:
                    self._write(sha256, data)
                except FileNotFoundError:  # swept in the instant between its creation and its lock
                    self._write(sha256, data)
            # Also for an existing file: whoever renamed it may have died before this line.
            fsync_folder(self.folder)
        return sha256

    def get(self, sha256: str) -> bytes:
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
        if SHA256.fullmatch(sha256):
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

    def names(self, *, older_than: float = 0.0) -> set[str]:
        found = hashes_in(self.folder)
        if not older_than:
            return found
        limit = time.time() - older_than
        return {name for name in found if _modified(self.path(name)) < limit}

    def sizes(self) -> dict[str, int]:
        return {name: size for name in self.names() if (size := _bytes(self.path(name))) is not None}

    def thrown(self) -> set[str]:
        return {path.name for path in self.trash.glob("*/*") if SHA256.fullmatch(path.name)}

    def sweep_temporary(self) -> int:
        found = ((entry, _TEMPORARY.fullmatch(entry.name)) for entry in self.folder.iterdir())
        return sum(_remove_orphan(entry) for entry, name in found if name and _judged(entry, name[1]))

    def put_back(self, wanted: Collection[str]) -> int:
        found = {path.name: path for path in sorted(self.trash.glob("*/*")) if path.name in wanted}
        missing = [path for name, path in found.items() if not self.path(name).exists()]
        return sum(self._put_back(path).parent == self.folder for path in missing)

    def put_away(self, sha256s: Collection[str]) -> None:
        if not self.is_elsewhere:  # nothing is moved through a link to another folder
            self.to_trash([path for each in sorted(sha256s) if (path := self.path(each)).exists()])

    def empty_trash(self, older_than_days: int) -> tuple[int, int]:
        return empty_trash(self.trash, older_than_days)

    def link(self, sha256: str, target: Path) -> None:
        for path in self.places(sha256):
            try:
                os.link(path, target)
            except FileNotFoundError:
                continue
            except OSError:  # another file system, or one without links
                shutil.copyfile(path, target)
            return

    def copy_to(self, sha256: str, target: Path) -> bool:
        self.link(sha256, target)
        return target.exists()

    def without_limit(self) -> BlobStore:
        return BlobStore(self.folder, others=self._others, trash=self.trash)

    def to_trash(self, files: Sequence[Path]) -> None:
        """Move files into the trash of today."""
        to_trash(self.trash, files)

    def _write(self, sha256: str, data: bytes) -> None:
        tmp = self.folder / f"{_TMP}{_HERE}-{uuid.uuid4().hex}"
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


def to_trash(trash: Path, files: Sequence[Path]) -> None:
    """Move files into a trash, into its folder of today.

    Raises:
        StorageFailed: the disk refused.
    """
    if not files:
        return
    today = trash / time.strftime("%Y-%m-%d")
    with plain_failures("moving files to the trash"):
        private_folder(trash)
        private_folder(today)
        for file in files:
            file.replace(today / file.name)
        fsync_folder(today)
        for folder in {file.parent for file in files}:
            fsync_folder(folder)


def last_day(older_than_days: int) -> str:
    """The day whose trash is at least so many days old, as its folder is called."""
    return (datetime.date.today() - datetime.timedelta(days=older_than_days)).isoformat()


def empty_trash(trash: Path, older_than_days: int) -> tuple[int, int]:
    """Delete the trash's folders of days at least so long ago: how many files, how many bytes."""
    n_files = n_bytes = 0
    for day in sorted(trash.iterdir()) if trash.is_dir() else []:
        if DAY.fullmatch(day.name) and day.name <= last_day(older_than_days) and not day.is_symlink():
            for file in day.iterdir():
                for path in [file] if file.is_symlink() or file.is_file() else all_files(file):
                    n_files, n_bytes = n_files + 1, n_bytes + path.lstat().st_size
                if file.is_dir() and not file.is_symlink():  # a sandbox
                    shutil.rmtree(file)
                else:
                    file.unlink()
            day.rmdir()
    return n_files, n_bytes


def all_files(folder: Path) -> list[Path]:
    """Every file below a folder."""
    return [Path(root) / name for root, _, names in os.walk(folder) for name in names]


def _judged(path: Path, machine: str | None) -> bool:
    """Whether this machine may say that a temporary file has no writer."""
    return machine in (None, _HERE) or _modified(path) < time.time() - _FOREIGN_SECONDS


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # gone meanwhile
        return float("inf")


def _bytes(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


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
