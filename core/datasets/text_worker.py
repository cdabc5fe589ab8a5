"""The confined process that decodes uploaded texts: `python -m core.datasets.text_worker`, see `core.confined`."""

from __future__ import annotations

from pathlib import Path

from core.config import BaseConfig, JsonObject
from core.confined import serve
from core.datasets.text_archive import decode_texts, write_texts


class Options(BaseConfig):
    """What texts become, see `decode_texts`."""

    classed: bool


def work(data: bytes, options: JsonObject, target: Path) -> JsonObject:
    """Decode texts and write them to `target`; the answer is their summary."""
    found, summary = decode_texts(data, classed=Options.model_validate(options).classed)
    write_texts(target, found, summary)
    # The names of many texts would make too long an answer; who asks reads them from the file.
    return {"proposed": summary.proposed}


if __name__ == "__main__":
    serve(work)
