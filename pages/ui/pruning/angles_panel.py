"""Global geometry: angles to all classes at once, and how the class means lie to each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.errors import CoreError
from core.plots.finished import finished
from core.plots.pruning_geometry import class_cosines, parallel_angles
from core.text import display_name, for_markdown
from core.views.pruning_detail import all_angles, class_means
from core.views.pruning_samples import lines_of_classes
from pages.ui import resources
from pages.ui.pruning.shown import Shown
from pages.ui.pruning.table_view import row_label
from pages.ui.setup import note

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from core.geometry.collapse import Collapse
    from core.geometry.margins import Margins


def panel(shown: Shown) -> None:
    """A line per sample, a square per pair of classes."""
    st.caption(
        "Each line is a sample: its angle to every class, then its own angle, its feature norm and its margin. A sample is "
        "safe where its own class is the lowest by far. Drag along an axis to keep only some lines."
    )
    classes = shown.view.probe.classes
    names = list(range(len(classes)))
    chosen = st.multiselect(
        "Classes shown",
        names,
        default=names[: min(3, len(names))],
        format_func=lambda k: display_name(classes[k]),
        key="pr-classes",
    )
    store = resources.store_or_none()
    try:
        with st.spinner("Running the network on the samples…", show_time=True):
            found = all_angles(store, shown.model.model_id, shown.benchmark)
            st.plotly_chart(
                _lines(shown.key, tuple(chosen), found, shown),
                key="pruning-angles",
                width="stretch",
                config={"displaylogo": False},
                alt="Parallel coordinates: a line per sample through its angle to every class.",
            )
    except CoreError as error:
        st.info(for_markdown(error, 600), icon=":material/block:")
    models = [shown.model] if shown.compare is shown.model else [shown.compare, shown.model]
    for column, model in zip(st.columns(len(models), gap="small"), models, strict=True):
        with column:
            try:
                means = class_means(store, model.model_id)
            except CoreError as error:
                st.info(
                    f"{for_markdown(row_label(model))}: {for_markdown(error, 400)}", icon=":material/block:"
                )
                continue
            st.plotly_chart(
                _means(f"{shown.view.key}|{model.model_id}", row_label(model), means, shown),
                key=f"pruning-means-{model.index}",
                width="stretch",
                config={"displayModeBar": False},
                alt=f"Cosines between the class means of {row_label(model)}.",
            )
    note(
        "Class means of training samples, their common mean taken away. At full collapse every pair has the same cosine, -1/(C-1)."
    )


@st.cache_resource(show_spinner=False, max_entries=32)
def _lines(key: str, chosen: tuple[int, ...], _found: Margins, _shown: Shown) -> go.Figure:
    probe = _shown.view.probe
    angles, rows = lines_of_classes(_found, probe, chosen)
    return finished(parallel_angles(angles, probe.y, _found.margin, _found.norm, probe.classes, shown=rows))


@st.cache_resource(show_spinner=False, max_entries=64)
def _means(key: str, title: str, _found: Collapse, _shown: Shown) -> go.Figure:
    names = [_shown.view.probe.classes[int(k)] for k in _found.classes]
    return finished(class_cosines(_found.cosines, names, title))
