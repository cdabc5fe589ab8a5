"""A search as files for Optuna: every measured subnet is a trial."""

from __future__ import annotations

import streamlit as st

from core.library.supernets import SupernetEntry
from core.records import Run
from core.text import display_name
from pages.ui import resources


def buttons(entry: SupernetEntry, run: Run) -> None:
    """Download buttons for Optuna's two kinds of files, written when they are pressed; none before the first value.

    Args:
        entry: the supernet that was searched.
        run: the search.
    """
    store = resources.store()
    if not store.count_measurements(run.run_id):
        return

    def sqlite() -> bytes:
        from core.library.studies import search_study

        return search_study(entry, run, store.ledger(run.run_id), "sqlite")

    def journal() -> bytes:
        from core.library.studies import search_study

        return search_study(entry, run, store.ledger(run.run_id), "journal")

    name = f"{display_name(run.params.get('algorithm', 'search'))}-seed-{run.seed}"
    with st.popover("For Optuna", icon=":material/hub:"):
        st.caption(
            "Every measured subnet is a trial, with its choices as parameters and how each value was obtained. "
            f"See it with `optuna-dashboard sqlite:///{name}.db` or `optuna-dashboard {name}.log`."
        )
        for label, made, ending, media in (
            ("SQLite file", sqlite, "db", "application/vnd.sqlite3"),
            ("Journal file", journal, "log", "application/x-ndjson"),
        ):
            st.download_button(
                label,
                made,
                f"{name}.{ending}",
                media,
                key=f"search-optuna-{ending}",
                on_click="ignore",
                icon=":material/download:",
            )
