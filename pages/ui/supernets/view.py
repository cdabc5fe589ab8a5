"""What the Supernets page shows, as its address states it."""

from __future__ import annotations

from dataclasses import dataclass

from pages.ui import resources
from pages.ui.address import NAME, matching, part

_WORDS = matching(r"[^\x00-\x1f]{1,80}")


def _titles() -> list[str]:
    return [entry.title for entry in resources.entries()]


@dataclass(frozen=True)
class View:
    """What the page shows.

    Attributes:
        supernet: id of the one whose page is open, "" for the gallery.
        task, family: registry names that the gallery is filtered by, "" for all.
        words: that a title must hold.
        comparison: id of the comparison of trainings that is shown, "" for none.
    """

    supernet: str = part("supernet", NAME, offers=_titles)
    task: str = part("task", NAME, what="task")
    family: str = part("family", NAME, what="family")
    words: str = part("named", _WORDS, what="name")
    comparison: str = part("comparison", NAME, what="comparison of trainings")

    def checked(self) -> View:
        return self
