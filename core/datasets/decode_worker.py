"""The confined process that decodes an upload: `python -m core.datasets.decode_worker`, see `core.confined`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.confined import serve
from core.datasets.decoding import decode, write_decoded


def work(data: bytes, options: Mapping[str, Any], target: Path) -> Mapping[str, Any]:
    """Decode images and write them to `target`; the answer is their summary."""
    raw, summary = decode(data, size=options["size"], channels=options["channels"])
    write_decoded(target, raw, summary)
    answer: Mapping[str, Any] = summary.model_dump(mode="json")
    return answer


if __name__ == "__main__":
    serve(work)
