"""The Front page's view over a session, and the selected subnet."""

from __future__ import annotations

from dataclasses import replace

from pages.ui.address import PageAddress
from pages.ui.front import arriving
from pages.ui.front.view import View
from pages.ui.selection import Selection

WIDGETS = ("axis-", "log-", "limit-", "pick-")

selection: Selection[str] = Selection("sel_id", "seed_id", "")

_ADDRESS = PageAddress(
    View, key="view", widgets=WIDGETS, on_arrival=lambda view: selection.select(view.sid), keep=arriving.keep
)


def current_view() -> View:
    """The view from the address if a link brought the visitor here, else the session's own."""
    return _ADDRESS.current()


def current_supernet() -> str:
    """Id of the supernet that the Front page shows, "" for the first."""
    return _ADDRESS.kept().supernet


def show_supernet(supernet_id: str) -> None:
    """Start over with another supernet."""
    _ADDRESS.start_over(View(supernet=supernet_id))
    selection.select("")


def publish(view: View) -> dict[str, str]:
    """Keep the view and write it into the address; returns the link's parameters."""
    return _ADDRESS.publish(replace(view, sid=selected()))


def selected() -> str:
    """`arch_id` of the selected subnet, "" for none."""
    return selection.now()


def select(arch_id: str) -> None:
    """Select from anywhere but the chart: the chart appears anew with this subnet highlighted."""
    selection.select(arch_id)


def seed() -> str:
    """`arch_id` that the chart highlights when it appears."""
    return selection.seed()
