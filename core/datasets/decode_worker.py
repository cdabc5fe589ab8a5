"""The confined process that decodes an upload: `python -m core.datasets.decode_worker`, see `core.confined`."""

from __future__ import annotations

from pathlib import Path

from core.config import BaseConfig, JsonObject
from core.confined import serve
from core.datasets.decoding import decode, write_decoded


class Options(BaseConfig):
    """What images become, see `decode`."""

    size: int | None
    channels: int | None


def work(data: bytes, options: JsonObject, target: Path) -> JsonObject:
    """Decode images and write them to `target`; the answer is their summary."""
    wanted = Options.model_validate(options)
    raw, summary = decode(data, size=wanted.size, channels=wanted.channels)
    write_decoded(target, raw, summary)
    answer: JsonObject = summary.model_dump(mode="json")
    return answer


if __name__ == "__main__":
    serve(work)
