"""Every number of the heatmap as a file and as a table."""

from __future__ import annotations

import streamlit as st

from core.library.networks import Model
from core.views.compare_models import ModelComparison, as_csv, as_rows
from pages.ui.setup import note
from pages.ui.tables import html_table


def panel(a: Model, b: Model, comparison: ModelComparison) -> None:
    """The CSV button and the numbers."""
    rows = as_rows(a, b, comparison)
    st.download_button(
        "CSV",
        lambda: as_csv(rows).encode(),
        f"similarity-{comparison.question.measure}.csv",
        "text/csv",
        key="similarity-csv",
        on_click="ignore",
        icon=":material/table:",
    )
    permutations = comparison.result.permutations
    note(
        f"Null: mean and standard deviation over {permutations} random orders of B's samples. Seed {comparison.probe.seed}."
    )
    html_table(
        [
            {
                "layer of A": r["layer_a"],
                "layer of B": r["layer_b"],
                "value": r["reason"] or f"{r['value']:.4f}",
                "null": f"{r['null_mean']:.4f} ± {r['null_sd']:.4f}" if not r["reason"] else "",
                "units": f"{r['units_a']} × {r['units_b']}",
            }
            for r in rows[:200]
        ],
        "Similarity of every pair of layers",
    )
