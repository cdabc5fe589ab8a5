"""The store of this machine, opened by a job for itself."""

from __future__ import annotations

from core.settings import settings
from core.store import RunStore


def own_store() -> RunStore:
    """A connection of its own to the store that the settings name.

    Raises:
        StorageFailed: it cannot be opened.
    """
    place = settings()
    return RunStore(place.database_url, place.home)
