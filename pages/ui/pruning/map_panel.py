"""The map of networks and benchmarks, and which benchmarks do the same to the same samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.evaluation.corruption_error import Redundancy
from core.library.benchmarks import benchmark_label
from core.plots.finished import finished
from core.plots.pruning_map import benchmark_map, redundancy
from core.views.pruning_map import PairMap, alike_benchmarks, pair_map
from core.words import format_share
from pages.ui import terms
from pages.ui.pruning import view_state
from pages.ui.pruning.shown import Shown
from pages.ui.pruning.table_view import row_label
from pages.ui.selection import picked_on
from pages.ui.setup import note

if TYPE_CHECKING:
    import plotly.graph_objects as go

KEY = "pruning-map"


def panel(shown: Shown) -> None:
    """Every pair of a network and a benchmark as one point; a click selects it."""
    terms.caption(
        "Each point is one network on one kind of samples. Near means: the same samples moved the same way. Lines join nearest "
        "relatives (the minimum spanning tree of the whole signatures). Click a point to select it."
    )
    left, right = st.columns([1.35, 1], gap="medium")
    found = pair_map(shown.view, shown.models, shown.severity)
    key = f"{shown.view.key}-{shown.severity}-{'/'.join(m.model_id for m in shown.models)}"
    with left:
        st.plotly_chart(
            _figure(key, _start(shown, key), found),
            key=KEY,
            width="stretch",
            on_select=_remember,
            selection_mode="points",
            config={"displaylogo": False},
            alt="Map of networks and benchmarks; the choosers beside the table select one too.",
        )
        left_out = f" {found.left_out} pairs are left out." if found.left_out else ""
        note(
            f"Signature: angle, norm and margin of all {len(shown.view.probe)} samples. The plane holds {format_share(found.map.explained)} of the variance. "
            f"{format_share(found.by_model)} of the lines join the same network on two kinds of samples, {format_share(found.by_benchmark)} two networks on the same samples.{left_out}"
        )
    with right:
        alike = alike_benchmarks(shown.view, shown.models, shown.severity)
        st.plotly_chart(
            _redundancy(
                f"{shown.view.key}-{shown.severity}-{'/'.join(m.model_id for m in shown.models)}", alike
            ),
            key="pruning-redundancy",
            width="stretch",
            config={"displayModeBar": False},
            alt="Correlations between benchmarks, alike ones framed.",
        )
        groups = [g for g in alike.clusters if len(g) > 1]
        said = "; ".join(", ".join(benchmark_label(b, severity=False).lower() for b in g) for g in groups)
        note(
            "Correlation of what each benchmark takes from every sample's margin, over all networks. "
            + (
                f"One of each of these groups would tell nearly the same: {said}."
                if groups
                else "No two benchmarks tell the same here."
            )
        )


def _start(shown: Shown, key: str) -> str:
    model, benchmark = view_state.selection.start(KEY, key)
    if not model:
        model, benchmark = shown.model.model_id, shown.benchmark
    return f"{model}|{benchmark}"


@st.cache_resource(show_spinner=False, max_entries=16)
def _figure(key: str, selected: str, _found: PairMap) -> go.Figure:
    ids = [f"{m.model_id}|{b}" for m, b in _found.pairs]
    titles = [f"{row_label(m)}, {benchmark_label(b).lower()}" for m, b in _found.pairs]
    methods = [m.before if m.is_parent else m.variant for m, _ in _found.pairs]
    edges = [(int(a), int(b)) for a, b in _found.map.edges]
    return finished(
        benchmark_map(_found.map.points, ids, titles, methods, _found.groups, edges, selected=selected)
    )


@st.cache_resource(show_spinner=False, max_entries=16)
def _redundancy(key: str, _alike: Redundancy) -> go.Figure:
    names = [benchmark_label(b, severity=False) for b in _alike.names]
    number = {b: k for k, group in enumerate(_alike.clusters) for b in group}
    clusters = [number[b] for b in _alike.names]
    return finished(redundancy(names, _alike.distance, [int(i) for i in _alike.order], clusters))


def _remember() -> None:
    if picked := picked_on(KEY):
        # The table outlines it as well, so it is not only remembered.
        model_id, _, benchmark = picked.partition("|")
        view_state.selection.select((model_id, benchmark))
