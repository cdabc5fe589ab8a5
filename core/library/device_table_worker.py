"""The confined process that reads a table of devices: `python -m core.library.device_table_worker`, see `core.confined`."""

from __future__ import annotations

from pathlib import Path

from core.config import BaseConfig, JsonObject
from core.confined import serve
from core.library.device_tables import decoded
from core.spaces.cell_string import cell_space


class Options(BaseConfig):
    """The data whose columns are taken."""

    chosen: str


def work(data: bytes, options: JsonObject, target: Path) -> JsonObject:
    """Read the table and write its values to `target`; the answer is what it holds."""
    found, values = decoded(data, Options.model_validate(options).chosen, cell_space())
    target.write_bytes(values)
    answer: JsonObject = found.model_dump(mode="json")
    return answer


if __name__ == "__main__":
    serve(work)
