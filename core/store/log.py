"""The log of a run: its last lines, for whoever asks why it failed."""

from __future__ import annotations

import time
from collections.abc import Sequence

from sqlalchemy import delete, insert, select

from core.store.database import Database
from core.store.schema import LogRow, RunRow

_MAX_TEXT = 2000


def append_log(database: Database, run_id: str, lines: Sequence[str], keep: int) -> None:
    """Add lines, of which the last `keep` stay; ignored if the run is gone."""
    now = time.time()
    rows = [{"run_id": run_id, "created": now, "text": line[:_MAX_TEXT]} for line in lines]
    this = LogRow.run_id == run_id
    with database.write("saving the log") as connection:
        known = select(RunRow.number).where(RunRow.run_id == run_id)
        if not rows or connection.execute(known).scalar() is None:
            return
        connection.execute(insert(LogRow), rows)
        oldest = select(LogRow.number).where(this).order_by(LogRow.number.desc()).offset(keep).limit(1)
        limit = connection.execute(oldest).scalar()
        if limit is not None:
            connection.execute(delete(LogRow).where(this, LogRow.number <= limit))


def log_lines(database: Database, run_id: str) -> list[str]:
    """The kept lines, oldest first; damaged bytes are marked."""
    query = select(LogRow.text).where(LogRow.run_id == run_id).order_by(LogRow.number)
    with database.read(tolerant=True) as connection:
        return list(connection.execute(query).scalars())
