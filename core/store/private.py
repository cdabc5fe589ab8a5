"""What is stored is for the person who stores it: folders 0700, files 0600.

Only what belongs to this user is changed, and no folder that holds other things as well: a home may have
been set to one of those by mistake.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

FOLDER, FILE = 0o700, 0o600


def private_folder(folder: Path) -> None:
    """Create `folder` for its owner alone, or close an existing one of ours to others.

    Raises:
        OSError: it cannot be created.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=FOLDER)
    _tighten(folder, FOLDER)


def private_home(home: Path, ours: Callable[[str], bool]) -> None:
    """As `private_folder`, unless the folder holds something that `ours` does not know by its name.

    Raises:
        OSError: it cannot be created.
    """
    home.mkdir(parents=True, exist_ok=True, mode=FOLDER)
    if all(ours(entry.name) for entry in home.iterdir()):
        _tighten(home, FOLDER)


def private_files(files: Iterable[Path]) -> None:
    """Close files of ours to others; what is missing is left out."""
    for file in files:
        _tighten(file, FILE)


def create_private(file: Path) -> None:
    """Create an empty file for its owner alone unless there is one.

    Raises:
        OSError: it cannot be created.
    """
    with suppress(FileExistsError):
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE))


def _tighten(path: Path, mode: int) -> None:
    if os.name != "posix":
        return
    with suppress(OSError):
        found = path.lstat()
        shared = bool(found.st_mode & stat.S_ISVTX) or stat.S_ISLNK(found.st_mode)
        if found.st_uid == os.geteuid() and not shared and found.st_mode & 0o077:
            path.chmod(stat.S_IMODE(found.st_mode) & mode)
