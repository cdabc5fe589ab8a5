"""Uploads that another server of the same store was given: brought here when they are wanted, where servers share no folder.

The store that is open in this process says how, for its home (`core.store.shared_uploads`); without one nothing is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

Bring = Callable[[str], bytes | None]
_ASKED: dict[Path, Bring] = {}


def ask(folder: Path, bring: Bring) -> None:
    """From now on ask `bring` for uploads that a folder lacks; it answers with verified bytes, or None."""
    _ASKED[folder] = bring


def ask_no_more(folder: Path, bring: Bring) -> None:
    """End that, unless somebody else is asked by now."""
    if _ASKED.get(folder) == bring:
        del _ASKED[folder]


def fetched(path: Path) -> bytes | None:
    """The verified bytes of an upload from elsewhere; None where there are none, or nobody is to be asked.

    Args:
        path: where it lies here, or would lie: its SHA-256 and a suffix.

    Raises:
        DataUnavailable: where it may be cannot be reached.
    """
    bring = _ASKED.get(path.parent)
    return None if bring is None else bring(path.name.partition(".")[0])
