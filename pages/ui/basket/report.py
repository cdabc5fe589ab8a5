"""Make a report of a basket: one page that needs nothing else, in several formats; made when it is asked for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from core.text import display_name
from core.views.basket import BasketView

if TYPE_CHECKING:
    from core.store import RunStore
    from core.store.baskets import Basket

_FORMATS = {
    "html": ("Make a report", "html", "text/html", ":material/description:"),
    "markdown": ("As Markdown", "md", "text/markdown", ":material/code:"),
    "latex": ("Table for LaTeX", "tex", "application/x-tex", ":material/functions:"),
}


def buttons(store: RunStore, basket: Basket, view: BasketView, link: str) -> None:
    """One button per format."""
    with st.container(horizontal=True, key="basket-report"):
        for name, (label, suffix, media_type, icon) in _FORMATS.items():
            st.download_button(
                label,
                data=_maker(store, basket, view, name, link),
                file_name=f"{file_name(basket.name)}.{suffix}",
                mime=media_type,
                key=f"report-{name}",
                on_click="ignore",
                type="primary" if name == "html" else "secondary",
                icon=icon,
                help=_HELP[name],
            )


_HELP = {
    "html": "One HTML page that opens without a network: the fronts, every network with its diagram and numbers, how each "
    "was measured, seeds, hashes, versions, the date and the link.",
    "markdown": "The same content as text; drawings become tables.",
    "latex": "The table above, for a paper; needs the booktabs package.",
}


def _maker(
    store: RunStore, basket: Basket, view: BasketView, format_name: str, link: str
) -> Callable[[], bytes]:
    """Makes the file when the browser asks for it; runs outside the page's script."""

    def make() -> bytes:
        from core.reports.writing import write_report

        return write_report(store, view, format_name, title=basket.name, link=link, made=now())

    return make


def now() -> str:
    """Date and time as a report writes it."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())


def file_name(name: str) -> str:
    """A basket's name as the name of a file."""
    plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in display_name(name).lower())
    return "-".join(part for part in plain.split("-") if part)[:40] or "basket"
