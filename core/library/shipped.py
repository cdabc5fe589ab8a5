"""Supernets that come with the program, in editions: one that is trained anew keeps its name, and nobody's work changes.

A database that held anything before an edition goes on with the one it knows: its runs, links and baskets are about those
weights. The new edition stands beside it there, under its name and number. A new database knows the newest alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from core.settings import ASSETS

FOLDER = ASSETS / "supernets"
EARLIER = FOLDER / "earlier"
CARD_FILE = "card.json"
NEWEST = {"digits-cnn": 2}
"""Editions of what was trained anew; whatever is not named is in its first."""


def folders(known: Mapping[str, int]) -> list[tuple[str, Path]]:
    """(name, folder) of every shipped supernet, as a database sees them.

    Args:
        known: name -> edition that the database goes on with; empty for a new one, or without one.
    """
    found = []
    for folder in sorted(each for each in FOLDER.glob("*") if (each / CARD_FILE).is_file()):
        newest = NEWEST.get(folder.name, 1)
        edition = known.get(folder.name, newest)
        kept = EARLIER / f"{folder.name}-{edition}"
        if edition == newest or not (kept / CARD_FILE).is_file():
            found.append((folder.name, folder))
        else:
            found += [(folder.name, kept), (f"{folder.name}-{newest}", folder)]
    return found


def told(name: str, known: Mapping[str, int]) -> list[str]:
    """What a person must know of a shipped supernet's edition: nothing where there is one alone.

    Args:
        name: as `folders` names it.
        known: see `folders`.
    """
    for first, newest in NEWEST.items():
        if known.get(first, newest) == newest:
            continue
        if name == first:
            return [
                f"Here it stays as earlier releases had it, because runs, links and baskets of this installation are about "
                f"these weights; {first}-{newest} is the same space, trained anew."
            ]
        if name == f"{first}-{newest}":
            return [
                f"It is {first}, trained anew; what is called {first} here stays as earlier releases had it."
            ]
    return []
