"""The Class page's view: which class, whether this visitor leads it, and what of it is shown."""

from __future__ import annotations

from dataclasses import dataclass, replace

from core.store.class_rows import read_code
from pages.ui.address import PageAddress, matching, one_of, part

WIDGETS = "cl-"
PANES = ("join", "board", "experiment", "contest", "rules", "files")


@dataclass(frozen=True)
class View:
    """What the page shows.

    Attributes:
        code: of the class, "" for none.
        teacher: the teacher's secret; stands in the teacher's own address and in no link that is offered to copy
            for others.
        show: one of `PANES`, "" for the first that fits.
        lesson: whose predictions the board shows, "" for the class's own.
    """

    code: str = part("class", lambda text: read_code(text) or None, what="class")
    teacher: str = part("teacher", matching(r"[A-Za-z0-9_-]{20,64}"), what="teacher's link")
    show: str = part("show", one_of(lambda: PANES), what="part of the page")
    lesson: str = part("lesson", matching(r"[a-z0-9_]{1,64}"), what="lesson")

    def checked(self) -> View:
        return self if self.code else View()


address: PageAddress[View] = PageAddress(
    View, key="class-view", widgets=WIDGETS, on_arrival=lambda view: None
)


def show(view: View) -> None:
    """Show this at the next run: somebody picked it."""
    address.start_over(view)


def change(**parts: str) -> None:
    """Show the same with other parts at the next run."""
    show(replace(address.kept(), **parts))
