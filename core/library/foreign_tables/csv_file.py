"""Comma-separated values, as this project, DyNAS-T, DeepCAVE and W&B write them."""

from __future__ import annotations

import csv
import io
import re
from typing import ClassVar

from core.errors import InvalidInput
from core.library.foreign_tables.base import (
    MOST_COLUMNS,
    READERS,
    ForeignTable,
    Hint,
    TableReader,
    as_text,
)
from core.library.foreign_tables.written_numbers import Convention, convention_of

_SEPARATORS = ",;\t|"
_DIRECTION = re.compile(r"\((maximize|minimize)\)\s*$", re.IGNORECASE)
_METRIC = "metric:"
"""What DeepCAVE writes before an objective, and behind it the direction."""


@READERS.register("csv")
class CsvFile(TableReader):
    """Comma-separated values with a head line, also those of DyNAS-T, DeepCAVE's trials and W&B's export; semicolons and tabs are recognized."""

    label = "CSV"
    source = "RFC 4180; DyNAS-T 1.6, DeepCAVE 1.3 and Weights & Biases as they export"
    suffixes: ClassVar[tuple[str, ...]] = ("csv", "tsv", "txt")
    rank: ClassVar[int] = 90

    def fits(self, head: bytes) -> bool:
        text = as_text(head)
        return text is not None and not text.lstrip().startswith(("{", "<", "%PDF"))

    def read(self, data: bytes) -> ForeignTable:
        import pandas as pd

        text = as_text(data[:65_536]) or ""
        first = text.lstrip("\r\n").partition("\n")[0]
        separator = _separator(first)
        if first.count(separator) > 2 * MOST_COLUMNS:
            raise InvalidInput(f"This table has more than {MOST_COLUMNS:,} columns.")
        convention = _convention(text, separator)
        try:
            frame = pd.read_csv(
                io.BytesIO(data),
                sep=separator,
                encoding=_encoding(data),
                encoding_errors="replace",
                low_memory=False,
                on_bad_lines="error",
                skipinitialspace=True,
                thousands=convention.thousands or None,
                # Nothing of a file decides that a path is opened or a page fetched.
                compression=None,
            )
        except MemoryError:
            raise
        except Exception as error:  # pandas raises many kinds over a damaged file; all mean the same
            raise InvalidInput(f"This file cannot be read as CSV: {_why(error)}") from error
        if not isinstance(frame.index, pd.RangeIndex):
            raise InvalidInput("This file cannot be read as CSV: its lines have more fields than its head.")
        return ForeignTable(frame, _hints([str(name) for name in frame.columns]), decimal=convention.decimal)


def _encoding(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    try:
        data.decode()
    except UnicodeDecodeError:
        return "cp1252"  # what spreadsheets in Western Europe write
    return "utf-8-sig"


def _convention(text: str, separator: str) -> Convention:
    """How the beginning of a file writes its numbers. Between commas no number has one."""
    if separator == ",":
        return Convention()
    return convention_of(field for line in text.splitlines()[1:] for field in line.split(separator))


def _separator(line: str) -> str:
    """What separates the fields of the head: the one that makes most of them, outside quotes."""
    counts = {}
    for each in _SEPARATORS:
        try:
            counts[each] = len(next(csv.reader([line[:20_000]], delimiter=each), []))
        except csv.Error:
            counts[each] = 0
    return max(_SEPARATORS, key=lambda each: (counts[each], each == ","))


def _why(error: Exception) -> str:
    found = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error))
    if found:
        return f"line {found[2]} has {found[3]} fields where {found[1]} were expected."
    return "it is damaged, or it is another kind of file."


def _hints(names: list[str]) -> dict[str, Hint]:
    """What DeepCAVE's and DyNAS-T's own column names say."""
    hints = {}
    for name in names:
        direction = _DIRECTION.search(name)
        if name.startswith(_METRIC):
            hints[name] = Hint("objective", direction and direction[1].lower() == "maximize")
        elif name in ("Sub-network", "config_id"):
            hints[name] = Hint("identity")
    return hints
