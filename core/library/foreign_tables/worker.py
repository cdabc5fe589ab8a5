"""The confined process that reads a foreign table: `python -m core.library.foreign_tables.worker`, see `core.confined`."""

from __future__ import annotations

from pathlib import Path

from core.config import JsonObject
from core.confined import serve
from core.library.foreign_tables.decoding import decoded


def work(data: bytes, options: JsonObject, target: Path) -> JsonObject:
    """Read the table and write its columns to `target`; the answer is what it holds."""
    found, columns = decoded(data)
    target.write_bytes(columns)
    answer: JsonObject = found.model_dump(mode="json")
    return answer


if __name__ == "__main__":
    serve(work)
