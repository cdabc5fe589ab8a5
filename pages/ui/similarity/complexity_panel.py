"""Complexity: how early can each feature be read out, and does it matter for the answer?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.errors import CoreError
from core.library.networks import Model, load_model
from core.plots.finished import finished
from core.plots.pictures import image_strip
from core.plots.task_geometry import complexity_figure, information_figure
from core.text import for_markdown
from core.views.task_geometry import ComplexityView, complexity_view, remaining_widths
from core.words import format_share
from pages.ui import resources, terms
from pages.ui.selection import picked_on
from pages.ui.setup import note
from pages.ui.similarity.selection import Compared
from pages.ui.tables import html_table

if TYPE_CHECKING:
    import plotly.graph_objects as go

_KEYS = ("complexity-layers", "complexity-importance")
_PICKED = "sim-feature"


def panel(view: Compared) -> None:
    """Features of A or of B."""
    terms.caption(
        "The last layer's activations are split into features. A feature is simple when earlier layers already hold it "
        "linearly, complex when only the last ones do. Click a feature: the images in which it is strongest."
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        side = st.segmented_control(
            "Model", ["A", "B"], default="A", required=True, key="sim-complexity-side"
        )
        atoms = st.select_slider("Features", [8, 16, 32, 48, 64], value=32, key="sim-atoms", width=220)
    info = view.a if side == "A" else view.b
    try:
        model = load_model(resources.store_or_none(), info.model_id)
        with st.spinner("Splitting the activations into features…", show_time=True):
            found = complexity_view(model, view.probe, atoms)
    except CoreError as error:
        st.info(for_markdown(error, 600), icon=":material/block:")
        return
    key = f"{model.key}-{view.probe}-{atoms}"
    left, right = st.columns([1.1, 1], gap="medium")
    settings = {"displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d"]}
    with left:
        st.plotly_chart(
            _layers(key, found),
            key=_KEYS[0],
            on_select=lambda: _remember(_KEYS[0]),
            selection_mode="points",
            width="stretch",
            config=settings,
            alt="Heatmap: how much of each feature can be read out at each stage.",
        )
    with right:
        st.plotly_chart(
            _importance(key, found),
            key=_KEYS[1],
            on_select=lambda: _remember(_KEYS[1]),
            selection_mode="points",
            width="stretch",
            config=settings,
            alt="Scatter: importance of each feature against its complexity.",
        )
    _images(found)
    _remaining(model, view)
    result = found.found
    note(
        f"Non-negative factorization of what enters the last layer ({format_share(found.features.explained)} of its variance reproduced, "
        f"{len(result.complexity)} features, random start with seed {view.probe.seed}); complexity is 1 minus the mean held-out R² of "
        f"ridge readouts of the stages, {result.n_fit} samples fitted, {result.n_held_out} held out. Rank correlation of "
        f"complexity and importance: {found.rank_correlation:+.2f}. The paper finds complex features less important, with 10,000 "
        "features of a large network; here it may not show."
    )


def _remaining(model: Model, view: Compared) -> None:
    """How many units are left when those that do nearly the same are joined."""
    with st.expander("How many units are copies? Iterative feature merging"):
        beta = st.select_slider(
            "Join units that differ by at most this share of the largest difference",
            [0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5],
            value=0.2,
            key="sim-merge-beta",
            format_func=lambda v: f"{v:g}",
        )
        try:
            merged = remaining_widths(model, view.probe, beta)
        except CoreError as error:
            st.info(for_markdown(error, 600), icon=":material/block:")
            return
        html_table(
            [{"units of": name, "left": left, "of": size} for name, left, size in merged.rows],
            "Units left after joining",
        )
        note(
            f"Accuracy on these images {format_share(merged.accuracy_before, 1)} before, {format_share(merged.accuracy, 1)} after. Units are described by "
            "incoming and outgoing weights; joined ones emit the sum. No data and no training (Chen et al., ICLR 2024)."
        )


def _images(found: ComplexityView) -> None:
    feature = st.session_state.get(_PICKED, -1)
    if 0 <= feature < len(found.found.complexity):
        st.caption(f"Feature {feature}: the images in which it is strongest, with class and strength")
        images, captions = found.top(feature)
        st.html(image_strip(images, captions, size=56))
        return
    for name, (images, captions) in found.extremes().items():
        st.caption(
            f"Images decided by {name} features, with class and mean complexity of what speaks for the answer"
        )
        st.html(image_strip(images, captions, size=56))


def _remember(key: str) -> None:
    picked = picked_on(key).removeprefix("f")
    if picked.isdecimal():
        st.session_state[_PICKED] = int(picked)


@st.cache_resource(show_spinner=False, max_entries=32)
def _layers(key: str, _found: ComplexityView) -> go.Figure:
    return finished(information_figure(_found.found.information, _found.found.complexity, _found.layers))


@st.cache_resource(show_spinner=False, max_entries=32)
def _importance(key: str, _found: ComplexityView) -> go.Figure:
    return finished(complexity_figure(_found.found.complexity, _found.found.importance))
