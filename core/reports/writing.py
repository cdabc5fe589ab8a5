"""One door to a basket's report: gather what it says, write it in a format. The page and the command line call this."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from core.errors import InvalidInput
from core.people import told_apart
from core.reports.captions import measured_how
from core.reports.content import Report, document, numbers_table, versions
from core.reports.html import html_page
from core.reports.latex import latex_table
from core.reports.markdown import markdown_page
from core.views.basket import BasketView, basket_supernets

if TYPE_CHECKING:
    from core.store import RunStore

FORMATS: Mapping[str, tuple[str, str]] = {
    "html": ("html", "text/html"),
    "markdown": ("md", "text/markdown"),
    "latex": ("tex", "application/x-tex"),
}
"""Format -> ending and media type."""


def write_report(
    store: RunStore | None, view: BasketView, format_name: str, *, title: str, link: str, made: str
) -> bytes:
    """A report; equal arguments give equal bytes.

    Args:
        store: where runs are kept.
        view: the networks.
        format_name: "html", "markdown" or "latex" (the table of numbers alone).
        title: name of the basket.
        link: where it can be opened, "" for nowhere.
        made: date and time, as text.

    Raises:
        InvalidInput: there is no such format, or no network.
    """
    if format_name not in FORMATS:
        raise InvalidInput(f"A report is {', '.join(FORMATS)}, not {format_name[:40]!r}.")
    if not view.networks:
        raise InvalidInput("There is no network to report; add one to the basket first.")
    if format_name == "latex":
        told = f"{title}. {' '.join(measured_how(goal) for goal in view.goals)}"
        return latex_table(numbers_table(view), caption=told, label=title.lower().replace(" ", "-")).encode()
    write: Callable[..., str] = {"html": html_page, "markdown": markdown_page}[format_name]
    found = basket_supernets(store, view)
    # A report that is taken home names people only where they are told apart.
    owners = store.owners.all() if store is not None and told_apart() else {}
    who = {each: str(person) for each, person in owners.items()}
    return write(document(Report(title, view, found, link, made, versions(), who))).encode()
