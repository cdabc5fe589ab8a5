"""What a teacher takes home: made when it is asked for."""

from __future__ import annotations

import time
from collections.abc import Callable

import streamlit as st

from core.classes.exports import class_csv, class_json
from core.store.class_rows import Room
from pages.ui import resources
from pages.ui.home_store import home_store


def draw(room: Room) -> None:
    """A button per file."""
    named = "numbers instead of nicknames" if room.rules.anonymous else "nicknames"
    st.markdown(f"Made now, with {named}. Removed students are left out.")
    code, store, sandboxes = room.code, home_store(), resources.sandboxes()

    def page() -> bytes:
        from core.reports.class_page import class_page

        return class_page(store, code, made=_now())

    offered: tuple[tuple[str, str, str, Callable[[], bytes], str], ...] = (
        ("Board as a page", "html", "text/html", page, "One HTML file that opens without a network."),
        (
            "Table",
            "csv",
            "text/csv",
            lambda: class_csv(store, code),
            "A row per student and lesson: how far, what was predicted, how it was answered.",
        ),
        (
            "Everything, to run again",
            "json",
            "application/json",
            lambda: class_json(store, code, made=_now(), sandboxes=sandboxes),
            "Every step, seed, run and version. The seed of an open contest is left out.",
        ),
    )
    for label, suffix, media_type, make, text in offered:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.download_button(
                label,
                data=make,
                file_name=f"class-{code}.{suffix}",
                mime=media_type,
                key=f"class-file-{suffix}",
                on_click="ignore",
                icon=":material/download:",
                width=270,
            )
            st.caption(text)


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
