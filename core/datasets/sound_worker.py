"""The confined process that decodes uploaded sounds: `python -m core.datasets.sound_worker`, see `core.confined`."""

from __future__ import annotations

from pathlib import Path

from core.config import BaseConfig, JsonObject
from core.confined import serve
from core.datasets.sound_archive import decode_sounds, write_sounds


class Options(BaseConfig):
    """What sounds become, see `decode_sounds`."""

    rate: int | None
    milliseconds: int | None


def work(data: bytes, options: JsonObject, target: Path) -> JsonObject:
    """Decode sounds and write them to `target`; the answer is their summary."""
    wanted = Options.model_validate(options)
    raw, summary = decode_sounds(data, rate=wanted.rate, milliseconds=wanted.milliseconds)
    write_sounds(target, raw, summary)
    answer: JsonObject = summary.model_dump(mode="json")
    return answer


if __name__ == "__main__":
    serve(work)
