"""Several named pieces of bytes as one, for what travels between a run and those who work for it."""

from __future__ import annotations

import json
from collections.abc import Mapping

from core.errors import DamagedArtifact

_MAGIC = b"PARETOSCOPE PIECES 1\n"
_HEAD = 8


def pack(pieces: Mapping[str, bytes]) -> bytes:
    """All pieces with their names, in order."""
    head = json.dumps([[name, len(data)] for name, data in pieces.items()]).encode()
    return b"".join([_MAGIC, len(head).to_bytes(_HEAD, "little"), head, *pieces.values()])


def is_packed(data: bytes) -> bool:
    """Whether `pack` wrote it."""
    return data.startswith(_MAGIC)


def unpack(data: bytes) -> dict[str, bytes]:
    """The pieces by name.

    Raises:
        DamagedArtifact: `pack` did not write this, or not all of it is there.
    """
    at = len(_MAGIC) + _HEAD
    try:
        if not is_packed(data):
            raise ValueError("no magic")
        length = int.from_bytes(data[len(_MAGIC) : at], "little")
        sizes = [(str(name), int(size)) for name, size in json.loads(data[at : at + length])]
        at += length
        if at + sum(size for _, size in sizes) != len(data):
            raise ValueError("wrong length")
    except (ValueError, TypeError) as error:
        raise DamagedArtifact(
            "What this run kept of its parts cannot be read; start the run anew."
        ) from error
    found = {}
    for name, size in sizes:
        found[name] = data[at : at + size]
        at += size
    return found
