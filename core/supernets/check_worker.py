"""The confined process that checks an uploaded supernet: `python -m core.supernets.check_worker`, see `core.confined`."""

from __future__ import annotations

from pathlib import Path

from core.config import JsonObject
from core.confined import serve
from core.supernets.files import load_supernet


def work(data: bytes, options: JsonObject, target: Path) -> JsonObject:
    """Build the supernet with its weights; the answer is its family."""
    supernet, _ = load_supernet(data)
    return {"family": supernet.name}


if __name__ == "__main__":
    serve(work)
