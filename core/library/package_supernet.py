"""Make a supernet ready to ship: its file, its complete table, and a card that paints without torch.

The folder this writes is what `library` finds under `assets/supernets`: `supernet.safetensors`,
`table.parquet` and `card.json` (header, cost table, hashes).
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from core.errors import InvalidInput, StorageFailed
from core.library import supernets
from core.library.supernets import CARD_FILE, SUPERNET_FILE, TABLE_FILE, SupernetEntry
from core.library.tables import parse_table


def package_supernet(entry: SupernetEntry, table: bytes, folder: Path) -> Path:
    """Write a supernet and its complete table as a folder of the library.

    Args:
        entry: the supernet.
        table: parquet bytes of its complete table (`evaluate_table`'s artifact).
        folder: made if missing; its name is the supernet's id.

    Raises:
        InvalidInput: the table does not cover the supernet's space.
        StorageFailed: the folder cannot be written.
    """
    rows = parse_table(table, entry.space)
    if len(rows) != entry.space.size or rows["arch_id"].duplicated().any():
        raise InvalidInput("The table does not hold every architecture of this supernet exactly once.")
    data = entry.read()
    card = {
        "title": entry.card.title or entry.title,
        "sha256": hashlib.sha256(data).hexdigest(),
        "table_sha256": hashlib.sha256(table).hexdigest(),
        "header": dict(entry.header),
        "costs": _costs(entry),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / SUPERNET_FILE).write_bytes(data)
        (folder / TABLE_FILE).write_bytes(table)
        (folder / CARD_FILE).write_text(json.dumps(card, separators=(",", ":")) + "\n", encoding="utf-8")
    except OSError as error:
        raise StorageFailed(f"{folder} could not be written: {error.strerror}.") from error
    return folder


def _costs(entry: SupernetEntry) -> dict[str, Any] | None:
    """The cost table for the card; None where it would be huge (a page then counts with torch)."""
    try:
        return supernets.costs(entry).to_json()
    except InvalidInput:
        return None
