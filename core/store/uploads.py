"""Uploaded images that nothing uses go to the trash, and come back if something does.

An upload is kept under its SHA-256 before the run that uses it exists, so a young one is left alone
whoever names it. Only the database that owns the home's files judges;
what sandboxes name counts as used.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, select

from core.store.blobs import to_trash
from core.store.schema import RunRow, SupernetRow

KEPT_DAYS = 7
"""Days an upload is kept that no run and no supernet names."""

_NAME = re.compile(r"([0-9a-f]{64})\..+")
_ID = re.compile(r"[0-9a-f]{64}")


def put_away_uploads(
    folder: Path,
    connection: Connection,
    trash: Path,
    used_elsewhere: Callable[[], set[str]] = set,
) -> int:
    """Move unused uploads to the trash, and back what is used; returns how many were moved there.

    Args:
        folder: where uploads are.
        connection: a writing transaction.
        trash: where they go.
        used_elsewhere: what other databases of this home name, asked only where something would move.
    """
    thrown = {path for path in trash.glob("*/*") if _NAME.fullmatch(path.name)}
    kept = list(folder.iterdir()) if folder.is_dir() and not folder.is_symlink() else []
    limit = time.time() - KEPT_DAYS * 86_400
    old = [path for path in kept if _NAME.fullmatch(path.name) and path.lstat().st_mtime < limit]
    if not thrown and not old:
        return 0
    used = used_uploads(connection) | used_elsewhere()
    for path in thrown:
        if path.name[:64] in used and not (folder / path.name).exists():
            folder.mkdir(parents=True, exist_ok=True)
            path.replace(folder / path.name)
    unused = [path for path in old if path.name[:64] not in used and path.is_file() and not path.is_symlink()]
    if unused:
        to_trash(trash, unused)
    return len(unused)


def used_uploads(connection: Connection) -> set[str]:
    """Everything that a request or a card names and that could be an upload."""
    found: set[str] = set()
    for column in (RunRow.params, SupernetRow.card):
        for text in connection.execute(select(column)).scalars():
            found.update(_ID.findall(text))
    return found
