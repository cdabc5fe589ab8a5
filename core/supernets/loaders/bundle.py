"""A whole supernet as one file: a zip of the folder that ships one, with its complete table where it has one.

`core.library.package_supernet` writes it. Its files are stored as they are, never packed: what they hold is no larger
than the archive, whatever its directory says. The card names the SHA-256 of every other file.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from typing import ClassVar

from core.chance.bits import parse_bits
from core.errors import InvalidInput
from core.networks.untrusted_files import METADATA, read_header
from core.supernets.headers import KEY
from core.supernets.loaders.base import LOADERS, Loaded, Loader, loader_of
from core.supernets.loaders.bundle_table import check_table

SUPERNET, CARD = "supernet.safetensors", "card.json"
TABLE, BITS, CHANCE = "table.parquet", "correct.npz", "chance.json"
BESIDE = (TABLE, BITS, CHANCE)
_MOST_CARD = 64 * 2**20
_DAMAGED = "This archive is damaged, or it was not written by `export-supernet`; export the supernet again."


@LOADERS.register("bundle")
class Bundle(Loader):
    """A supernet with its complete table, which samples each subnet got right, and its card."""

    label = "Exported supernet"
    source = "this project's own format"
    suffixes: ClassVar[tuple[str, ...]] = ("zip",)
    rank: ClassVar[int] = 15
    takes: ClassVar[str] = "a .zip that Paretoscope exported"

    def fits(self, name: str, data: bytes) -> bool:
        if not data.startswith(b"PK\x03\x04"):
            return False
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                return {SUPERNET, CARD} <= set(archive.namelist())
        except Exception:  # the reader raises many kinds over a damaged directory
            return False

    def load(self, name: str, data: bytes) -> Loaded:
        files = _unpacked(data)
        told = _card(files[CARD])
        for each, content in files.items():
            if each != CARD and told.hashes.get(each) != hashlib.sha256(content).hexdigest():
                raise InvalidInput(
                    f"{each} in this archive is not the file its card names; export the supernet again."
                )
        if KEY not in read_header(files[SUPERNET]).get(METADATA, {}):
            raise InvalidInput(_DAMAGED)
        loaded = loader_of(SUPERNET, files[SUPERNET]).load(SUPERNET, files[SUPERNET])
        beside = {each: files[each] for each in BESIDE if each in files}
        if beside and TABLE not in beside:
            raise InvalidInput(_DAMAGED)
        facts = list(loaded.facts)
        if TABLE in beside:
            space = loaded.supernet.space
            check_table(beside[TABLE], space)
            facts.append("Its complete table comes with it: its exact front is there at once.")
        if BITS in beside:
            table_sha256 = hashlib.sha256(beside[TABLE]).hexdigest()
            parse_bits(beside[BITS], n_subnets=space.size, table_sha256=table_sha256)
            facts.append("Which samples each subnet got right comes with it, too.")
        return Loaded(
            supernet=loaded.supernet,
            card=loaded.card,
            title=told.title or loaded.title,
            facts=tuple(facts),
            fixed=loaded.fixed,
            needs_data=loaded.needs_data,
            file=files[SUPERNET],
            beside=beside,
        )


def _unpacked(data: bytes) -> dict[str, bytes]:
    """Name -> content of the files of an archive; only those that an export has, each once, stored as they are."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            names = [entry.filename for entry in entries]
            whole = len(names) == len(set(names)) and set(names) <= {SUPERNET, CARD, *BESIDE}
            stored = all(e.compress_type == zipfile.ZIP_STORED and not e.flag_bits & 1 for e in entries)
            if not whole or not stored or sum(e.file_size for e in entries) > len(data):
                raise InvalidInput(_DAMAGED)
            return {entry.filename: archive.read(entry) for entry in entries}
    except InvalidInput:
        raise
    except Exception as error:  # the reader raises many kinds over a damaged archive
        raise InvalidInput(_DAMAGED) from error


class _Told:
    """What a card says: a title, and the SHA-256 of each file."""

    def __init__(self, title: str, hashes: dict[str, str]) -> None:
        self.title, self.hashes = title, hashes


def _card(content: bytes) -> _Told:
    try:
        card = json.loads(content if len(content) <= _MOST_CARD else b"")
        hashes = {str(name): str(text) for name, text in dict(card.get("files", {})).items()}
        title = card.get("title", "")
        # A folder that an earlier release packaged names these two alone.
        named = {SUPERNET: card.get("sha256"), TABLE: card.get("table_sha256")}
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidInput(_DAMAGED) from error
    known = {name: text for name, text in named.items() if isinstance(text, str) and text}
    return _Told(title[:200] if isinstance(title, str) else "", hashes | known)
