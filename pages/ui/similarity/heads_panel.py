"""Heads: which attention head of A stands for which of B?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.errors import CoreError
from core.library.networks import load_model
from core.plots import matching as figures
from core.plots.finished import finished
from core.similarity.matching import matched_order
from core.text import for_markdown
from core.views import match_units
from core.views.match_units import HeadPair, LayerPair
from pages.ui import resources, terms
from pages.ui.setup import note
from pages.ui.similarity.selection import Compared
from pages.ui.tables import html_table

if TYPE_CHECKING:
    import plotly.graph_objects as go


def panel(view: Compared) -> None:
    """Every head of the selected stage of A against every head of B's, and the best assignment."""
    terms.caption(
        "Each square is an attention head of A's selected stage and one of B's: linear CKA of what they put out, before the "
        "heads are mixed. The matching pairs each head with at most one other so that the sum is largest."
    )
    store = resources.store_or_none()
    pair = LayerPair(view.layer_a, view.layer_b, view.pooling, view.probe)
    try:
        a, b = (load_model(store, m.model_id) for m in (view.a, view.b))
        shown = match_units.heads_of_pair(a, b, pair)
    except CoreError as error:
        st.info(for_markdown(error, 600), icon=":material/block:")
        return
    found = shown.found
    parts = [
        (f"{found.matching.mean:.2f}", "mean CKA, one to one"),
        (f"{found.matching.greedy_mean:.2f}", "best partner, repeats allowed"),
        (f"{found.chance[0]:.2f} ± {found.chance[1]:.2f}", "one to one, shuffled rows"),
    ]
    st.html(
        f'<div class="ps-headline">{"".join(f"<div><b>{v}</b><span>{t}</span></div>" for v, t in parts)}</div>'
    )
    left, right = st.columns([1.15, 1], gap="medium")
    with left:
        st.plotly_chart(
            _matrix(f"{a.key}-{b.key}-{pair}", shown),
            key="head-matrix",
            width="stretch",
            config={"displayModeBar": False},
            alt="Matrix of CKA between attention heads of A and of B; the table beside it lists the matched pairs.",
        )
    with right:
        html_table(_rows(shown), "Matched heads of both networks")
    rows = "samples, pooled over tokens" if view.pooling != "positions" else "tokens"
    note(
        f"{shown.rows:,} {rows}; padding does not count. A head's numbers may be rotated without changing what the "
        "block computes, so heads are compared as layers are, not number by number. Choose Positions among the features to "
        "compare token by token."
    )


def _rows(shown: HeadPair) -> list[dict[str, str]]:
    matching, (alone_a, alone_b) = shown.found.matching, shown.found.left_over
    pairs = sorted(
        zip(matching.values.tolist(), matching.rows.tolist(), matching.columns.tolist(), strict=True)
    )
    rows = [{"head of A": str(i), "head of B": str(j), "CKA": f"{v:.2f}"} for v, i, j in reversed(pairs)]
    rows += [{"head of A": str(i), "head of B": "none left", "CKA": ""} for i in alone_a]
    return rows + [{"head of A": "none left", "head of B": str(j), "CKA": ""} for j in alone_b]


@st.cache_resource(show_spinner=False, max_entries=64)
def _matrix(key: str, _shown: HeadPair) -> go.Figure:
    values = _shown.found.values
    rows, columns = matched_order(_shown.found.matching, (values.shape[0], values.shape[1]))
    return finished(figures.head_matrix(values[rows, :][:, columns], rows.tolist(), columns.tolist()))
