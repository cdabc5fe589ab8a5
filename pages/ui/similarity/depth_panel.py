"""Depth: from organized like the images to organized like the classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.errors import CoreError
from core.library.networks import load_model
from core.plots.finished import finished
from core.plots.task_geometry import decodability_figure, depth_figure
from core.text import for_markdown
from core.views.task_geometry import DepthPath, depth_path
from pages.ui import resources, terms
from pages.ui.selection import picked_on
from pages.ui.setup import note
from pages.ui.similarity import view_state
from pages.ui.similarity.selection import Compared

if TYPE_CHECKING:
    import plotly.graph_objects as go

_KEY = "depth-path"
_MOST = 6


def panel(view: Compared) -> None:
    """Alignment of every stage of every chosen model."""
    terms.caption(
        "A layer can be organized like the images (right) or like the classes (top). Each line is a network from its first "
        "stage (small) to its last (large). Click a point: that layer is selected."
    )
    store = resources.store_or_none()
    try:
        models = [load_model(store, m.model_id) for m in view.models[:_MOST]]
        paths = {m.info.model_id: depth_path(m, view.probe) for m in models}
    except CoreError as error:
        st.warning(for_markdown(error, 600))
        return
    titles = tuple((m.info.model_id, m.info.short) for m in models)
    key = f"{[m.key for m in models]}-{view.probe}"
    left, right = st.columns(2, gap="medium")
    with left:
        st.plotly_chart(
            _figure(key, titles, paths),
            key=_KEY,
            on_select=_remember,
            selection_mode="points",
            width="stretch",
            config={"displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d"]},
            alt="Target alignment against input alignment of every stage, a line per network.",
        )
    with right:
        st.plotly_chart(
            _readout(key, titles, paths),
            key="depth-readout",
            width="stretch",
            config={"displayModeBar": False},
        )
    first = next(iter(paths.values()))
    reasons = {a.input.reason or a.target.reason for p in paths.values() for a in p.alignments} - {""}
    note(
        f"Unbiased CKA of pooled features with raw pixels and with one-hot labels, {first.n:,} {view.probe.split} images. Read both "
        f"against the dotted line: pixels and labels themselves have {first.baseline:.2f}. Readout: ridge regression fitted on "
        f"two thirds, judged on one third.{' ' + next(iter(reasons)) if reasons else ''}"
    )


@st.cache_resource(show_spinner=False, max_entries=32)
def _figure(key: str, titles: tuple[tuple[str, str], ...], _paths: dict[str, DepthPath]) -> go.Figure:
    lines = {
        model_id: [
            (layer, label, a.input.value, a.target.value)
            for layer, label, a in zip(p.layer_ids, p.labels, p.alignments, strict=True)
        ]
        for model_id, p in _paths.items()
    }
    return finished(depth_figure(lines, baseline=next(iter(_paths.values())).baseline, titles=dict(titles)))


@st.cache_resource(show_spinner=False, max_entries=32)
def _readout(key: str, titles: tuple[tuple[str, str], ...], _paths: dict[str, DepthPath]) -> go.Figure:
    names = dict(titles)
    lines = {names[i]: (p.labels, [a.decodability for a in p.alignments]) for i, p in _paths.items()}
    return finished(decodability_figure(lines, chance=next(iter(_paths.values())).chance))


def _remember() -> None:
    if picked := picked_on(_KEY):
        view_state.pick_layer(picked)
