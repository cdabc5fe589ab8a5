"""Which sandboxes a home has, and quick questions to their databases without opening them: a year leaves hundreds."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from core.errors import InvalidInput
from core.records import RunState
from core.store.home import SANDBOXES

DATABASE = "paretoscope.db"
_ID = re.compile(r"[0-9a-f]{32}")
_UPLOAD = re.compile(r"[0-9a-f]{64}")


def folder_of(home: Path, sandbox_id: str) -> Path:
    """Where a sandbox lies, or would lie.

    Raises:
        InvalidInput: the text is no id.
    """
    if not _ID.fullmatch(sandbox_id):
        raise InvalidInput("That is no sandbox's id.")
    return home / SANDBOXES / sandbox_id


def ids(home: Path) -> list[str]:
    """Every sandbox of a home."""
    try:
        return sorted(e.name for e in os.scandir(home / SANDBOXES) if _ID.fullmatch(e.name) and e.is_dir())
    except FileNotFoundError:
        return []


def rows(home: Path, sandbox_id: str, query: str) -> Iterator[Any]:
    """Rows of a quick question; none where the database is missing or damaged (`check` says so)."""
    file = folder_of(home, sandbox_id) / DATABASE
    if file.is_file():
        with suppress(sqlite3.Error), closing(sqlite3.connect(file, timeout=5.0)) as connection:
            yield from connection.execute(query)


def unfinished(home: Path) -> list[str]:
    """Sandboxes with runs that wait, run, or were interrupted: what a server that starts has to look at."""
    states = ", ".join(f"'{s}'" for s in (RunState.QUEUED, RunState.RUNNING, RunState.INTERRUPTED))
    query = f"SELECT 1 FROM runs WHERE state IN ({states}) LIMIT 1"
    return [sandbox_id for sandbox_id in ids(home) if any(rows(home, sandbox_id, query))]


def named_uploads(home: Path) -> set[str]:
    """What runs and supernets of all sandboxes name and that could be an upload of the home."""
    return set().union(*(uploads_of(home, sandbox_id) for sandbox_id in ids(home)))


def uploads_of(home: Path, sandbox_id: str) -> set[str]:
    """What runs and supernets of one sandbox name and that could be an upload of the home."""
    query = "SELECT params FROM runs UNION ALL SELECT card FROM supernets"
    texts = [row[0] for row in rows(home, sandbox_id, query)]
    return set().union(*(uploads_in(text) for text in texts if isinstance(text, str)))


def uploads_in(text: str) -> set[str]:
    """What in a request or a card could be an upload."""
    return set(_UPLOAD.findall(text))
