"""Local geometry: where the selected network puts every sample in its last feature space."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.library.benchmarks import benchmark_label
from core.plots.finished import finished
from core.plots.pruning_geometry import class_lines, local_geometry
from core.views.pruning_samples import means_by_class, placed
from pages.ui.pruning import view_state
from pages.ui.pruning.sample_strip import sample_strip
from pages.ui.pruning.shown import Shown
from pages.ui.pruning.table_view import row_label
from pages.ui.selection import samples_on
from pages.ui.setup import note

if TYPE_CHECKING:
    import plotly.graph_objects as go

KEY = "pruning-geometry"
_METRICS = {
    "angle": "Mean angle to the class (degrees)",
    "norm": "Mean feature norm",
    "margin": "Mean margin",
}


def panel(shown: Shown) -> None:
    """Samples by angle and norm or margin; draw a box to see them."""
    compared = shown.compare.model_id != shown.model.model_id
    st.caption(
        "Each dot is a sample. To the left it is turned towards its class, above it is far from the origin (norm) or from being "
        "wrong (margin); a cross is a wrong answer. **Draw a box** around some dots to see those samples."
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        vertical = st.segmented_control(
            "Vertical axis",
            ["norm", "margin"],
            default="norm",
            required=True,
            key="pr-vertical",
            format_func=str.capitalize,
            help="**Norm**: length of the features, mostly how sure the network is. **Margin**: distance to the nearest "
            "decision boundary, below zero where the answer is wrong.",
        )
        arrows = st.toggle(
            f"Arrows from: {row_label(shown.compare)}",
            value=False,
            disabled=not compared,
            key="pr-arrows",
            help="Where the network chosen under Compare with puts the 200 samples whose margins changed most.",
        )
    if shown.view.of(shown.model.model_id, shown.benchmark) is None:
        st.info("This network has not been evaluated on these samples.", icon=":material/block:")
        return
    left, right = st.columns([1.55, 1], gap="medium")
    with left:
        edition = view_state.samples.edition()
        st.plotly_chart(
            _figure(shown.key, str(vertical), arrows and compared, edition, shown),
            key=KEY,
            width="stretch",
            on_select=_remember,
            selection_mode=("box", "lasso", "points"),
            config={"displaylogo": False},
            alt="Scatter chart of the samples: angle to their class, feature norm or margin; the samples are listed in the Samples tab too.",
        )
    with right:
        metric = st.selectbox(
            "By class", list(_METRICS), format_func=_METRICS.__getitem__, key="pr-class-metric"
        )
        st.plotly_chart(
            _classes(shown.key, metric, shown),
            key="pruning-classes",
            width="stretch",
            config={"displayModeBar": False},
            alt="Means by class of the selected and the compared network.",
        )
    sample_strip(shown, view_state.samples.now())
    note(
        f"{row_label(shown.model)}, {benchmark_label(shown.benchmark).lower()} samples, {shown.view.probe.split} split. With features h and class "
        "rows w, a logit is |h| |w| cos(angle) + bias: of a sample the loss knows its norm and its angles to the classes. The margin is its "
        "distance to the nearest decision boundary."
    )


@st.cache_resource(show_spinner=False, max_entries=64)
def _figure(key: str, vertical: str, arrows: bool, edition: int, _shown: Shown) -> go.Figure:
    data = placed(_shown.view, _shown.model.model_id, _shown.benchmark, _shown.compare.model_id)
    return finished(local_geometry(data, vertical=vertical, arrows=arrows, edition=edition))


@st.cache_resource(show_spinner=False, max_entries=64)
def _classes(key: str, metric: str, _shown: Shown) -> go.Figure:
    models = [_shown.compare, _shown.model] if _shown.compare is not _shown.model else [_shown.model]
    values = means_by_class(_shown.view, [m.model_id for m in models], _shown.benchmark, metric)
    names = [row_label(m) for m in models]
    return finished(class_lines(_shown.view.probe.classes, values, names, metric=_METRICS[metric]))


def _remember() -> None:
    if ids := samples_on(KEY):
        view_state.samples.select(ids)
