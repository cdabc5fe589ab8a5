"""Files by hash: whole or absent, verified on reading, swept when orphaned."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from core.errors import DamagedArtifact, StorageFailed
from core.store import blobs as module
from core.store.blobs import BlobStore


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "home" / "blobs")


@pytest.mark.parametrize("data", [b"", b"a", os.urandom(100_000)])
def test_content_comes_back_under_its_hash(blobs: BlobStore, data: bytes) -> None:
    sha256 = blobs.put(data)
    assert sha256 == hashlib.sha256(data).hexdigest()
    assert (blobs.get(sha256), blobs.path(sha256).read_bytes()) == (data, data)
    assert blobs.put(data) == sha256
    assert (blobs.names(), blobs.path(sha256).stat().st_size) == ({sha256}, len(data))


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty", "missing", "swap"])
def test_any_damage_is_found_and_repaired_by_writing_again(blobs: BlobStore, damage: str) -> None:
    data = os.urandom(500)
    path = blobs.path(blobs.put(data))
    if damage == "missing":
        path.unlink()
    else:
        flipped = bytes([data[0] ^ 1]) + data[1:]
        path.write_bytes({"flip": flipped, "truncate": data[:-1], "empty": b"", "swap": b"other"}[damage])
    with pytest.raises(DamagedArtifact):
        blobs.get(path.name)
    blobs.put(data)
    assert blobs.get(path.name) == data


def test_every_write_is_synced_before_and_after_the_rename(
    blobs: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def recorded_fsync(descriptor: int) -> None:
        calls.append("fsync " + Path(f"/proc/self/fd/{descriptor}").readlink().name[:4])
        fsync(descriptor)

    def recorded_replace(self: Path, target: Path) -> Path:
        calls.append("rename")
        assert self.parent == target.parent
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(Path, "replace", recorded_replace)
    blobs.put(b"data")
    assert calls == ["fsync .tmp", "rename", "fsync blob"]
    calls.clear()
    blobs.put(b"data")  # somebody else may have died before syncing the folder
    assert calls == ["fsync blob"]


def test_short_writes_are_continued(blobs: BlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, bytes(data[:7])))
    data = os.urandom(100)
    assert blobs.get(blobs.put(data)) == data


def test_sweeping_takes_orphans_and_spares_files_being_written(
    blobs: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    (blobs.folder / f".tmp-{'0' * 32}").write_bytes(b"half a file")
    fsync, writing, swept = os.fsync, threading.Event(), threading.Event()

    def slow_fsync(descriptor: int) -> None:
        writing.set()
        assert swept.wait(5)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", slow_fsync)
    writer = threading.Thread(target=blobs.put, args=(b"slow",))
    writer.start()
    assert writing.wait(5)
    assert blobs.sweep_temporary() == 1
    swept.set()
    writer.join()
    assert blobs.get(hashlib.sha256(b"slow").hexdigest()) == b"slow"
    assert blobs.sweep_temporary() == 0


def test_a_file_swept_before_its_lock_is_written_again(
    blobs: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, swept = os.open, iter([True, False, False, False])

    def swept_at_once(path: Path, *arguments: int) -> int:
        descriptor = opened(path, *arguments)
        if ".tmp" in str(path) and next(swept):
            Path(path).unlink()
        return descriptor

    monkeypatch.setattr(os, "open", swept_at_once)
    assert blobs.get(blobs.put(b"data")) == b"data"


def test_writers_of_the_same_content_do_not_disturb_each_other(blobs: BlobStore) -> None:
    data = os.urandom(200_000)
    threads = [threading.Thread(target=blobs.put, args=(data,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(blobs.folder.iterdir())) == 1
    assert blobs.get(hashlib.sha256(data).hexdigest()) == data


@pytest.mark.parametrize("home", ["/proc/nothing", "/dev/null/home"])
def test_an_unwritable_home_is_said_plainly(home: str) -> None:
    with pytest.raises(StorageFailed, match="opening"):
        BlobStore(Path(home) / "blobs")


def test_a_read_only_home_is_said_plainly(tmp_path: Path) -> None:
    """As an ordinary user, since the superuser may write everywhere."""
    BlobStore(tmp_path / "blobs")
    tmp_path.chmod(0o755)
    (tmp_path / "blobs").chmod(0o555)
    drop = "import os; os.getuid() or os.setuid(65534);"
    code = drop + (
        "import sys, pathlib; from core.store.blobs import BlobStore; from core.errors import StorageFailed\n"
        "try: BlobStore(pathlib.Path(sys.argv[1]))\n"
        "except StorageFailed as error: print(error)"
    )
    # The imports must come before the change of user, who may not read this folder.
    code = "import core.store.blobs\n" + code
    for folder in (tmp_path, *tmp_path.parents):
        if folder.owner() == Path.home().owner() and str(folder).startswith("/tmp/"):
            folder.chmod(folder.stat().st_mode | 0o011)
    arguments = [sys.executable, "-c", code, str(tmp_path / "blobs")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "PARETOSCOPE_HOME" in done.stdout


def test_there_is_a_lock_on_this_system() -> None:
    assert module.fcntl is not None or os.name != "posix"
