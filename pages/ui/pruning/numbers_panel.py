"""Everything as a table, and as CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.library.csv_tables import csv_bytes
from core.views.pruning import numbers_table
from core.views.pruning_seeds import mean_rows, over_seeds
from pages.ui.pruning.shown import Shown
from pages.ui.setup import note

if TYPE_CHECKING:
    import pandas as pd


def panel(shown: Shown) -> None:
    """A table of means over seeds where there are several, and one row per network."""
    import pandas as pd

    table = numbers_table(shown.view, shown.models)
    groups = over_seeds(shown.models, apart=shown.apart)
    if any(group.n > 1 for group in groups):
        means = pd.DataFrame(mean_rows(groups))
        st.markdown("**Means over seeds**")
        st.dataframe(means, key="pruning-means", width="stretch", hide_index=True)
        note("low and high: ends of the band, which is named in its column; empty where there is one seed.")
        _download("Means as CSV", means, "pruned-means.csv", "pruning-means-csv")
        st.markdown("**Every network**")
    st.dataframe(table, key="pruning-numbers", width="stretch", hide_index=True)
    _download("Numbers as CSV", table, "pruned.csv", "pruning-csv")


def _download(label: str, table: pd.DataFrame, file_name: str, key: str) -> None:
    st.download_button(
        label,
        lambda: csv_bytes(table),
        file_name,
        "text/csv",
        key=key,
        on_click="ignore",
        icon=":material/table:",
    )
