"""Where a command puts what it made: a file, or the terminal."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from pathlib import Path

from core.errors import InvalidInput, NotFound, StorageFailed


def read_file(path: Path, most: int) -> bytes:
    """A file of a person.

    Args:
        path: of the file.
        most: bytes it may have.

    Raises:
        NotFound: there is none, or it cannot be read.
        InvalidInput: it is too large.
    """
    if not path.is_file():
        raise NotFound(f"There is no file {str(path)!r}.")
    if path.stat().st_size > most:
        raise InvalidInput(f"{path.name} is larger than {most >> 20} MB.")
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}.") from error


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


def write_table(path: Path | None, content: bytes, about: Callable[[list[str]], bytes]) -> None:
    """Write a table of subnets and its description beside it (f.csv and f.about.json), or print the table.

    Args:
        path: None prints the table alone.
        content: the CSV.
        about: from the names of the columns to the description.
    """
    if path is not None:
        columns = next(csv.reader([content.partition(b"\n")[0].decode()]))
        write(path.with_name(f"{path.stem}.about.json"), about(columns))
    write_or_print(path, content)
