"""From the bytes of a foreign table to columns the library keeps, in a confined process."""

from __future__ import annotations

import tempfile
from pathlib import Path

from core.confined import Limits, run_confined
from core.errors import InvalidInput
from core.library.foreign_tables.base import MOST_BYTES, reader_of
from core.library.foreign_tables.columns import Peek, peek, plain, written

_WORKER = "core.library.foreign_tables.worker"
_FILE = "table.parquet"
_LIMITS = Limits(memory_bytes=8 * 2**30, cpu_seconds=120)


def read_foreign(data: bytes) -> tuple[Peek, bytes]:
    """Decode a file that may come from anybody, in a confined process.

    Args:
        data: the file; what it is called decides nothing.

    Returns:
        What it holds, and its columns as the library keeps them (Parquet of numbers, truth values and texts).

    Raises:
        InvalidInput: it is no table that can be read; the sentence says why.
        Busy: the machine has no time to read it now.
    """
    if len(data) > MOST_BYTES:
        raise InvalidInput(f"This file is larger than {MOST_BYTES >> 20} MB.")
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / _FILE
        answer = run_confined(_WORKER, data, {}, target, _LIMITS)
        return Peek.model_validate(answer), target.read_bytes()


def decoded(data: bytes) -> tuple[Peek, bytes]:
    """`read_foreign` in this process; what the confined one runs."""
    reader = reader_of(data)
    table = plain(reader.read(data))
    return peek(table, reader=reader.name, label=reader.label), written(table.frame)
