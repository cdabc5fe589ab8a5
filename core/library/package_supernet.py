"""Make a supernet ready to ship: its file, its complete table, and a card that paints without torch.

The folder this writes is what `library` finds under `assets/supernets`: `supernet.safetensors`,
`table.parquet`, `card.json` (header, cost table, hashes) and, where it is known which samples each subnet got right,
`correct.npz` and `chance.json` (how sure the front is, so that it is drawn at once).
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from core.errors import InvalidInput, StorageFailed
from core.library import chance, supernets
from core.library.correct import measured
from core.library.supernets import BITS_FILE, CARD_FILE, SUPERNET_FILE, TABLE_FILE, SupernetEntry
from core.library.tables import parse_table
from core.objectives.base import OBJECTIVES, usual_pair


def package_supernet(entry: SupernetEntry, table: bytes, folder: Path, bits: bytes | None = None) -> Path:
    """Write a supernet and its complete table as a folder of the library.

    Args:
        entry: the supernet.
        table: parquet bytes of its complete table (`evaluate_table`'s artifact).
        folder: made if missing; its name is the supernet's id.
        bits: which samples were right (its artifact, too), None where it was not kept.

    Raises:
        InvalidInput: the table does not cover the supernet's space.
        StorageFailed: the folder cannot be written.
    """
    rows = parse_table(table, entry.space)
    if len(rows) != entry.space.size or rows["arch_id"].duplicated().any():
        raise InvalidInput("The table does not hold every architecture of this supernet exactly once.")
    data = entry.read()
    table_sha256 = hashlib.sha256(table).hexdigest()
    card = {
        "title": entry.card.title or entry.title,
        "sha256": hashlib.sha256(data).hexdigest(),
        "table_sha256": table_sha256,
        "header": dict(entry.header),
        "costs": _costs(entry),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / SUPERNET_FILE).write_bytes(data)
        (folder / TABLE_FILE).write_bytes(table)
        if bits is not None:
            write_bits(measured(entry, table, bits), folder)
        (folder / CARD_FILE).write_text(json.dumps(card, separators=(",", ":")) + "\n", encoding="utf-8")
    except OSError as error:
        raise StorageFailed(f"{folder} could not be written: {error.strerror}.") from error
    return folder


def write_bits(entry: SupernetEntry, folder: Path) -> None:
    """Write what is known of chance into the folder of a supernet.

    Args:
        entry: with its table and bits.
        folder: that holds the supernet already.
    """
    assert entry.read_bits is not None
    (folder / BITS_FILE).write_bytes(entry.read_bits())
    table = supernets.table(entry)
    pair = None if table is None else usual_pair(name for name in table if name in OBJECTIVES.names())
    if table is not None and pair is not None and chance.quality_and_cost(pair) == pair:
        (folder / chance.FrontChance.FILE).write_bytes(chance.compute_chance(entry, table, pair).encode())


def _costs(entry: SupernetEntry) -> dict[str, Any] | None:
    """The cost table for the card; None where it would be huge (a page then counts with torch)."""
    try:
        return supernets.costs(entry).to_json()
    except InvalidInput:
        return None
