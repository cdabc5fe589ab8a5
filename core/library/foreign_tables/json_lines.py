"""One JSON object per line, or a JSON array of objects."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from core.config import JsonObject
from core.errors import InvalidInput
from core.library.foreign_tables.base import (
    MOST_COLUMNS,
    MOST_ROWS,
    READERS,
    ForeignTable,
    TableReader,
    as_text,
)

_DEEPEST = 3


@READERS.register("json_lines")
class JsonLines(TableReader):
    """JSON lines: an object per line; what is nested becomes columns such as config.depth. An array of objects is read as well."""

    label = "JSON lines"
    source = "jsonlines.org"
    suffixes: ClassVar[tuple[str, ...]] = ("jsonl", "json", "ndjson")
    rank: ClassVar[int] = 40

    def fits(self, head: bytes) -> bool:
        text = (as_text(head) or "").lstrip()
        return text.startswith("{") or (text.startswith("[") and text[1:].lstrip().startswith("{"))

    def read(self, data: bytes) -> ForeignTable:
        import pandas as pd

        rows: list[Mapping[str, Any]] = []
        names: dict[str, None] = {}
        for number, found in enumerate(objects(data), start=1):
            row = dict(_flat(found))
            names.update(dict.fromkeys(row))
            if number > MOST_ROWS or len(names) > MOST_COLUMNS:
                raise InvalidInput(
                    f"This table has more than {MOST_ROWS:,} rows or more than {MOST_COLUMNS:,} columns."
                )
            rows.append(row)
        return ForeignTable(pd.DataFrame(rows, columns=list(names), dtype=object))


def objects(data: bytes) -> Iterator[JsonObject]:
    """The objects of the lines, or of one array.

    Raises:
        InvalidInput: a line is no JSON object; the sentence names it.
    """
    if data.lstrip()[:1] == b"[":
        found = parsed(data, "This file")
        for number, each in enumerate(found, start=1):
            yield _object(each, f"Entry {number} of this file")
        return
    for number, line in enumerate(data.splitlines(), start=1):
        if line.strip():
            yield _object(parsed(line, f"Line {number}"), f"Line {number}")


def parsed(text: bytes, what: str) -> Any:
    """A value from JSON.

    Raises:
        InvalidInput: it is none.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # also what is no UTF-8
        raise InvalidInput(f"{what} is no valid JSON.") from error


def _object(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidInput(f"{what} is no JSON object with a value per column.")
    return value


def _flat(value: Mapping[str, Any], prefix: str = "", depth: int = 1) -> Iterator[tuple[str, Any]]:
    for name, inner in value.items():
        if isinstance(inner, dict) and inner and depth < _DEEPEST:
            yield from _flat(inner, f"{prefix}{name}.", depth + 1)
        else:
            yield f"{prefix}{name}", inner
