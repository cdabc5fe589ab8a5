"""Where a command puts what it made: a file, or the terminal."""

from __future__ import annotations

import sys
from pathlib import Path

from core.errors import StorageFailed


def write(path: Path, content: bytes) -> None:
    """Write a file.

    Raises:
        StorageFailed: the disk refused it.
    """
    try:
        path.write_bytes(content)
    except OSError as error:
        raise StorageFailed(f"{path} could not be written: {error.strerror}.") from error


def write_or_print(path: Path | None, content: bytes) -> None:
    """Write a file and say its name, or print the content."""
    if path is None:
        sys.stdout.write(content.decode())
    else:
        write(path, content)
        print(path)
