"""Follow a class: every few seconds two numbers are read, and the page is drawn again only when one has changed."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from core.errors import CoreError
from pages.ui.home_store import home_store

EVERY_SECONDS = 5.0


def everything(code: str, beside: Callable[[], None] = lambda: None, drawn: int | None = None) -> None:
    """Draw the page again when anything has changed in the class.

    Args:
        beside: done each time before looking, such as fetching what students' jobs have found.
        drawn: the class's counter of what is shown, if that may be older than now.
    """
    _watch(code, 0, beside, drawn)


def rules(code: str) -> None:
    """Draw the page again when the teacher has set something."""
    _watch(code, 1, lambda: None, None)


def _watch(code: str, which: int, beside: Callable[[], None], shown: int | None) -> None:
    drawn = home_store().classes.versions(code)[which] if shown is None else shown

    @st.fragment(run_every=EVERY_SECONDS)
    def look() -> None:
        try:
            beside()
            changed = home_store().classes.versions(code)[which] != drawn
        except CoreError:
            return  # the next look may succeed
        if changed:
            st.rerun()

    look()
