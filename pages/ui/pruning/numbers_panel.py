"""Everything as a table, and as CSV."""

from __future__ import annotations

import streamlit as st

from core.library.csv_tables import csv_bytes
from core.views.pruning import numbers_table
from pages.ui.pruning.shown import Shown


def panel(shown: Shown) -> None:
    """One row per network."""
    table = numbers_table(shown.view, shown.models)
    st.dataframe(table, key="pruning-numbers", width="stretch", hide_index=True)
    st.download_button(
        "Numbers as CSV",
        lambda: csv_bytes(table),
        "pruned.csv",
        "text/csv",
        key="pruning-csv",
        on_click="ignore",
        icon=":material/table:",
    )
