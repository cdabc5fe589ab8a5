"""Files that a person hands over, kept under their SHA-256 until a run has made something of them.

They lie with the other uploads: what no run names goes to the trash after some days (`core.store.uploads`).
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from core.datasets.loading import write_whole
from core.datasets.uploads import brought
from core.errors import InvalidInput, NotFound
from core.people import Action, require
from core.settings import settings

_ID = re.compile(r"[0-9a-f]{64}")


def keep_file(data: bytes) -> str:
    """Keep a file and return its id.

    Raises:
        StorageFailed: the disk refused it.
        NotAllowed: who asks may not upload.
    """
    require(Action.UPLOAD)
    file_id = hashlib.sha256(data).hexdigest()
    path = _path(file_id)
    if not path.exists():
        write_whole(path, lambda file: file.write(data), private=True)
    return file_id


def kept_file(file_id: str) -> bytes:
    """The bytes of a kept file, verified against its id.

    Raises:
        NotFound: nothing is kept under that id.
        InvalidInput: it was damaged on the disk.
    """
    path = _path(file_id)
    if not path.is_file() and not brought(path):
        raise NotFound("That file is no longer kept here; load it again.")
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != file_id:
        raise InvalidInput("The kept file was damaged on the disk; load it again.")
    return data


def _path(file_id: str) -> Path:
    if not _ID.fullmatch(file_id):
        raise NotFound("That file is no longer kept here; load it again.")
    return settings().home / "datasets" / "uploads" / f"{file_id}.bin"
