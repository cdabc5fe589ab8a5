"""The confined process that reads an uploaded space: `python -m core.supernets.written_worker`, see `core.confined`."""

from __future__ import annotations

from pathlib import Path

from core.config import JsonObject
from core.confined import serve
from core.supernets.planned import planned
from core.supernets.written import MOST_BYTES, read


def work(data: bytes, options: JsonObject, target: Path) -> JsonObject:
    """Read and judge the whole file; the answer is its text, which is then known to be bounded.

    Raises:
        InvalidInput: it is no space that could be built.
    """
    written = read(data)
    planned(written, options)
    return {"text": data[:MOST_BYTES].decode()}


if __name__ == "__main__":
    serve(work)
