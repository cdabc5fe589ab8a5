"""A supernet file from a person, checked completely and kept, once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.confined import Limits, run_confined
from core.supernets.headers import peek_supernet

if TYPE_CHECKING:
    from core.store import RunStore

UNNAMED = "supernet"
_CHECKER = "core.supernets.check_worker"
_CPU_SECONDS = 60
_MEMORY_BYTES = 2 * 2**30
"""Torch's own, and a network as large as the smallest files carry; larger files may take more."""


@dataclass(frozen=True)
class Added:
    """Where an uploaded supernet is now.

    Attributes:
        supernet_id: its id in the store.
        title: what it is called there.
        was_there: whether the same file had been added before; then nothing was stored.
    """

    supernet_id: str
    title: str
    was_there: bool


def add_supernet(store: RunStore, name: str, data: bytes) -> Added:
    """Check a supernet file and keep it, unless the same file is there already.

    Here the header alone is read; the network is built, and its weights are compared, in a confined process.

    Args:
        store: where it is kept.
        name: what a person calls it.
        data: the .safetensors file.

    Raises:
        InvalidInput: the file is not a supernet, is damaged, or is hostile.
        Busy: the machine has no time to check it now.
        StorageFailed: the disk refused it; nothing was stored.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    for kept in store.list_supernets():
        if kept.sha256 == sha256:
            store.repair(data)  # its file may have been damaged since
            return Added(kept.supernet_id, kept.name, was_there=True)
    header = peek_supernet(data)
    limits = Limits(memory_bytes=_MEMORY_BYTES + 4 * len(data), cpu_seconds=_CPU_SECONDS)
    checked = run_confined(_CHECKER, data, {}, limits=limits)
    # Whole: what the card names of this machine's uploads counts as used.
    described = {**header["card"], "family": checked["family"]}
    title = name.strip() or UNNAMED
    return Added(store.add_supernet(title, data, described), title, was_there=False)
