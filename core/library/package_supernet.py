"""Make a supernet ready to ship: its file, its complete table, and a card that paints without torch.

The folder this writes is what `library` finds under `assets/supernets`: `supernet.safetensors`,
`table.parquet`, `card.json` (header, cost table, hashes) and, where it is known which samples each subnet got right,
`correct.npz` and `chance.json` (how sure the front is, so that it is drawn at once).
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from core.config import JsonObject
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
    whole = measured(entry, table, bits)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in packaged(whole, entry.card.title or entry.title, _costs(entry)).items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise StorageFailed(f"{folder} could not be written: {error.strerror}.") from error
    return folder


def export_supernet(entry: SupernetEntry) -> bytes:
    """A supernet as one file: a zip of its folder, the complete table in it where there is one.

    The same supernet and table give the same bytes. `core.supernets.loaders.bundle` reads it.

    Raises:
        CoreError: a file of the supernet is missing or damaged.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in packaged(entry, entry.title, entry.costs).items():
            # Of a fixed date, and not packed: weights do not shrink, and whoever reads it need not trust a size.
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def packaged(entry: SupernetEntry, title: str, costs: JsonObject | None) -> dict[str, bytes]:
    """Name -> content of the files of a supernet's folder; the card names the SHA-256 of each other file.

    Args:
        entry: with its table and bits where there are some.
        title: what it is called.
        costs: its cost table for pages that paint without torch; None leaves it out.
    """
    files = {SUPERNET_FILE: entry.read()}
    if entry.read_table is not None:
        files[TABLE_FILE] = entry.read_table()
        if entry.read_bits is not None:
            files |= _chance(entry)
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    card = {
        "title": title,
        "sha256": hashes[SUPERNET_FILE],
        "table_sha256": hashes.get(TABLE_FILE, ""),
        "files": hashes,
        "header": dict(entry.header),
        "costs": costs,
    }
    return files | {CARD_FILE: (json.dumps(card, separators=(",", ":")) + "\n").encode()}


def _chance(entry: SupernetEntry) -> dict[str, bytes]:
    """What is known of chance: which samples each subnet got right, and how sure the usual front is."""
    assert entry.read_bits is not None
    files = {BITS_FILE: entry.read_bits()}
    table = supernets.table(entry)
    pair = None if table is None else usual_pair(name for name in table if name in OBJECTIVES.names())
    if table is not None and pair is not None and chance.quality_and_cost(pair) == pair:
        with suppress(InvalidInput):  # the bits are not of this table
            files[chance.FrontChance.FILE] = chance.compute_chance(entry, table, pair).encode()
    return files


def _costs(entry: SupernetEntry) -> dict[str, Any] | None:
    """The cost table for the card; None where it would be huge (a page then counts with torch)."""
    try:
        return supernets.costs(entry).to_json()
    except InvalidInput:
        return None
