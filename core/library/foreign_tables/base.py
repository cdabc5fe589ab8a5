"""The reader contract: rows and columns from the bytes of a file that may come from anybody.

Readers run in a confined process (`core.library.foreign_tables.worker`), never in a server's own. They execute
nothing of a file and unpickle nothing; what they cannot use is an `InvalidInput` with one plain sentence.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from core.config import Plugin
from core.errors import InvalidInput
from core.registry import Registry

if TYPE_CHECKING:
    import pandas as pd

READERS: Registry[TableReader] = Registry("reader", "core.library.foreign_tables", "READERS")

MOST_BYTES = 512 << 20
"""Of a file, and of what a packed one unfolds to."""
MOST_ROWS = 5_000_000
MOST_COLUMNS = 1_000
HEAD = 65_536
"""Bytes of a file that `fits` looks at."""


@dataclass(frozen=True)
class Hint:
    """What a file itself says of one of its columns.

    Attributes:
        role: "objective", "identity", "group" or "configuration".
        maximize: whether a larger objective is better; None where the file does not say.
    """

    role: str
    maximize: bool | None = None


@dataclass(frozen=True, eq=False)
class ForeignTable:
    """What a reader found.

    Attributes:
        frame: rows and columns as they are, of any types; names may repeat.
        hints: by column.
        notes: what a person must know of the reading, a sentence each.
        decimal: what stands before the decimals of a number that is a text, "." or ",".
    """

    frame: pd.DataFrame
    hints: Mapping[str, Hint] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    decimal: str = "."


class TableReader(Plugin, ABC):
    """One format of files.

    Attributes:
        suffixes: endings of such files' names, without dots, for a chooser of files.
        rank: readers with smaller numbers are asked first whether a file is theirs.
    """

    suffixes: ClassVar[tuple[str, ...]]
    rank: ClassVar[int]

    @abstractmethod
    def fits(self, head: bytes) -> bool:
        """Whether a file that begins so is of this format.

        Args:
            head: its first 64 kB.
        """

    @abstractmethod
    def read(self, data: bytes) -> ForeignTable:
        """The rows of a file.

        Raises:
            InvalidInput: it is damaged, or no such file.
        """


def reader_of(data: bytes) -> TableReader:
    """The reader of a file, by what it begins with; its name decides nothing.

    Raises:
        InvalidInput: no reader knows it.
    """
    if not data.strip(b" \t\r\n\0"):
        raise InvalidInput("This file is empty.")
    head = data[:HEAD]
    for reader in sorted((READERS.create(name) for name in READERS.names()), key=lambda each: each.rank):
        if reader.fits(head):
            return reader
    raise InvalidInput(
        "This file is no table that can be read here: CSV, Parquet, JSON lines, or an Optuna storage (SQLite or journal)."
    )


def suffixes() -> list[str]:
    """Endings of the files that can be read."""
    return sorted({ending for name in READERS.names() for ending in READERS.get(name).suffixes})


def refuse_size(rows: int, columns: int) -> None:
    """Refuse a table that is too large.

    Raises:
        InvalidInput: it has too many rows or columns, or none.
    """
    if not rows or not columns:
        raise InvalidInput("This table has no rows.")
    if rows > MOST_ROWS:
        raise InvalidInput(f"This table has more than {MOST_ROWS:,} rows.")
    if columns > MOST_COLUMNS:
        raise InvalidInput(f"This table has more than {MOST_COLUMNS:,} columns.")


def as_text(head: bytes) -> str | None:
    """The beginning of a file as text; None where it is none."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return head[: len(head) // 2 * 2].decode("utf-16", errors="replace")
    if b"\0" in head:
        return None
    # The last letter may be cut in two.
    text = head.decode("utf-8-sig", errors="ignore")
    return text if len(text.encode()) >= 0.9 * len(head) - 4 else head.decode("latin-1")
