"""The confined process that checks an uploaded supernet: `python -m core.supernets.check_worker`, see `core.confined`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.confined import serve
from core.supernets.files import load_supernet


def work(data: bytes, options: Mapping[str, Any], target: Path) -> Mapping[str, Any]:
    """Build the supernet with its weights; the answer is its family."""
    supernet, _ = load_supernet(data)
    return {"family": supernet.name}


if __name__ == "__main__":
    serve(work)
