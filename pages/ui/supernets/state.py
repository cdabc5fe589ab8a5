"""The Supernets page's view over a session: the gallery, or the page of one supernet."""

from __future__ import annotations

from dataclasses import replace

from pages.ui import resources
from pages.ui.address import PageAddress, missing
from pages.ui.supernets.view import View

WIDGETS = ("gallery-", "details-")


def _keep(view: View) -> tuple[View, list[str]]:
    titles = {entry.supernet_id: entry.title for entry in resources.entries()}
    if not view.supernet or view.supernet in titles:
        return view, []
    return replace(view, supernet=""), [missing("supernet", view.supernet, list(titles.values()))]


_ADDRESS = PageAddress(View, key="supernets-view", widgets=WIDGETS, on_arrival=lambda view: None, keep=_keep)


def current_view() -> View:
    """The view from the address if a link brought the visitor here, else the session's own."""
    return _ADDRESS.current()


def show(supernet_id: str) -> None:
    """Open the page of a supernet, or the gallery as it was for ""; a step for Back."""
    _ADDRESS.start_over(replace(_ADDRESS.kept(), supernet=supernet_id))


def publish(view: View) -> dict[str, str]:
    """Keep the view and write it into the address; returns the link's parameters."""
    return _ADDRESS.publish(view)
