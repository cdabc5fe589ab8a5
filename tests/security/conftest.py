"""What every hostile-file test shares: a watched process and a folder tree that must not change."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_FORBIDDEN = (
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "subprocess.Popen",
    "socket.connect",
    "pickle.find_class",
)
_seen: list[str] | None = None


def _watch(event: str, args: tuple) -> None:
    if _seen is None:
        return
    if event in _FORBIDDEN:
        _seen.append(f"{event} {args!r:.80}")
    elif (
        event == "open"
        and isinstance(args[2], int)
        and args[2] & _WRITING
        and "__pycache__" not in str(args[0])
        and not str(args[0]).startswith("/proc/self/")
    ):
        _seen.append(f"open for writing {args[0]!r}")


# An audit hook stays for the life of the process, so it is added once and armed by the fixture.
sys.addaudithook(_watch)


def tree(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.lstat().st_size for path in folder.rglob("*")}


@pytest.fixture
def untouched(tmp_path, monkeypatch):
    """Nothing is written, run, connected to or unpickled while a test uses this; the tree stays as it is."""
    global _seen
    home = tmp_path / "sandbox" / "home"
    home.mkdir(parents=True)
    (home / "kept.txt").write_text("older work")
    monkeypatch.setenv("PARETOSCOPE_HOME", str(home))
    monkeypatch.chdir(home)
    before = tree(tmp_path)
    _seen = []
    try:
        yield tmp_path
        seen = _seen
    finally:
        _seen = None
    assert seen == []
    assert tree(tmp_path) == before
