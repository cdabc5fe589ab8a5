"""A supernet file from a person, checked completely and kept, once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.store import RunStore

UNNAMED = "supernet"


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
    """Check a supernet file and keep it, unless the same file is there already. Loads torch.

    Args:
        store: where it is kept.
        name: what a person calls it.
        data: the .safetensors file.

    Raises:
        InvalidInput: the file is not a supernet, is damaged, or is hostile.
        StorageFailed: the disk refused it; nothing was stored.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    for kept in store.list_supernets():
        if kept.sha256 == sha256:
            store.repair(data)  # its file may have been damaged since
            return Added(kept.supernet_id, kept.name, was_there=True)
    from core.supernets.files import load_supernet

    supernet, card = load_supernet(data)
    # Whole: what the card names of this machine's uploads counts as used.
    described = {**card, "family": supernet.name}
    title = name.strip() or UNNAMED
    return Added(store.add_supernet(title, data, described), title, was_there=False)
