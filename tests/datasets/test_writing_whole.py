"""`write_whole` at each of its boundaries: content durable before its name, the name before the promise."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from core.datasets.loading import write_whole
from core.errors import StorageFailed


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The order of what reaches the disk, each with the bytes that are in the file by then."""
    told: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def recorded_fsync(descriptor: int) -> None:
        found = os.fstat(descriptor)
        told.append("fsync folder" if stat.S_ISDIR(found.st_mode) else f"fsync {found.st_size} bytes")
        fsync(descriptor)

    def recorded_replace(self: Path, target: Path) -> Path:
        assert self.parent == Path(target).parent, "a rename over folders is no rename"
        told.append(f"rename {self.stat().st_size} bytes")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(Path, "replace", recorded_replace)
    return told


def test_content_is_durable_before_it_has_its_name(tmp_path: Path, calls: list[str]) -> None:
    target = tmp_path / "folder" / "file.bin"
    write_whole(target, lambda file: file.write(b"x" * 1000))
    assert calls == ["fsync 1000 bytes", "rename 1000 bytes", "fsync folder"]
    assert target.read_bytes() == b"x" * 1000


@pytest.mark.parametrize("k", [0, 1, 2])
def test_a_disk_that_refuses_leaves_the_old_file_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, k: int
) -> None:
    target = tmp_path / "file.bin"
    write_whole(target, lambda file: file.write(b"old"))
    fsync, replace, count = os.fsync, Path.replace, iter(range(10))

    def maybe(act):  # type: ignore[no-untyped-def]
        def wrapped(*arguments):  # type: ignore[no-untyped-def]
            if next(count) == k:
                raise OSError(errno.ENOSPC, "No space left on device")
            return act(*arguments)

        return wrapped

    monkeypatch.setattr(os, "fsync", maybe(fsync))
    monkeypatch.setattr(Path, "replace", maybe(replace))
    with pytest.raises(StorageFailed, match="No space"):
        write_whole(target, lambda file: file.write(b"new"))
    monkeypatch.undo()
    assert target.read_bytes() == (b"new" if k == 2 else b"old")
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
def test_private_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    for private, mode in ((True, 0o600), (False, 0o644)):
        write_whole(tmp_path / "file", lambda file: file.write(b"x"), private=private)
        assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode
