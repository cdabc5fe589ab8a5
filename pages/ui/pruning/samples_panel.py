"""Samples: which break first, which never, and what holds one sample's margin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.errors import CoreError
from core.library.benchmarks import benchmark_label
from core.plots import pictures
from core.plots.finished import finished
from core.plots.pruning_geometry import fragility as fragility_figure
from core.plots.pruning_samples import margin_lines, occlusion_figure
from core.text import display_name, for_markdown
from core.views.pruning_detail import SampleDetail, sample_detail
from core.views.pruning_samples import Fragility, first_failures, fragility, margin_paths
from pages.ui import resources
from pages.ui.pruning import view_state
from pages.ui.pruning.sample_strip import sample_strip
from pages.ui.pruning.shown import Shown
from pages.ui.pruning.table_view import row_label
from pages.ui.setup import note

if TYPE_CHECKING:
    import plotly.graph_objects as go

_MOST = 12


def panel(shown: Shown) -> None:
    """Fragile and robust samples along the method's sparsities, then one of them from near."""
    if shown.view.of(shown.model.model_id, shown.benchmark) is None:
        st.info("This network has not been evaluated on these samples.", icon=":material/block:")
        return
    left, right = st.columns([1, 1.2], gap="medium")
    with left:
        st.markdown("**How many samples fail first at which share**")
        st.plotly_chart(
            _failures(shown.key, shown),
            key="pruning-failures",
            width="stretch",
            config={"displayModeBar": False},
            alt="Bars: samples that each method first gets wrong at each sparsity.",
        )
    fate = fragility(shown.view, shown.model, shown.benchmark)
    with right:
        if fate is None or len(fate.models) < 2:
            st.info(
                "Select a pruned network in the table to see its fragile and robust samples.",
                icon=":material/touch_app:",
            )
        else:
            _fates(shown, fate)
    ids = view_state.samples.now()
    if ids:
        sample_strip(shown, ids)
    _one(shown, fate, ids)


def _fates(shown: Shown, fate: Fragility) -> None:
    probe = shown.view.probe
    for title, rows, text in (
        ("Break first", fate.fragile[:_MOST], "Right before pruning, wrong soonest."),
        ("Hold longest", fate.robust[:_MOST], "Never wrong, with the largest margin at the highest share."),
    ):
        st.markdown(f"**{title}** · {text}")
        captions = [f"{display_name(probe.classes[int(probe.y[r])])} · {fate.said(r)}" for r in rows]
        if len(rows):
            st.html(pictures.sample_strip(probe.shown(rows), captions, size=52))
        else:
            st.caption("There is none.")
    note(
        f"Along the shares of {shown.model.variant}, {benchmark_label(shown.benchmark).lower()} samples; the clean ones are shown."
    )


def _one(shown: Shown, fate: Fragility | None, ids: tuple[int, ...]) -> None:
    """One sample's margin over the sparsities of every method, and the pixels that hold it."""
    probe = shown.view.probe
    fragile = [int(probe.ids[r]) for r in fate.fragile[:_MOST]] if fate else []
    robust = [int(probe.ids[r]) for r in fate.robust[:_MOST]] if fate else []
    options = list(dict.fromkeys([*ids[:50], *fragile, *robust, int(probe.ids[0])]))
    rows = dict(zip(options, probe.rows_of(options), strict=True))
    sample = st.selectbox(
        "One sample from near",
        options,
        key="pr-sample",
        format_func=lambda i: f"sample {i}, class {display_name(probe.classes[int(probe.y[rows[i]])])}",
    )
    left, right = st.columns([1.3, 1], gap="medium")
    with left:
        st.plotly_chart(
            _paths(shown.key, sample, shown),
            key="pruning-paths",
            width="stretch",
            config={"displayModeBar": False},
            alt="The sample's margin over the share of weights removed, a line per method.",
        )
    with right:
        try:
            detail = sample_detail(resources.store_or_none(), shown.model.model_id, shown.benchmark, sample)
        except CoreError as error:
            st.info(for_markdown(error, 600), icon=":material/block:")
            return
        st.plotly_chart(
            _occlusion(shown.key, sample, detail),
            key="pruning-occlusion",
            width="stretch",
            config={"displayModeBar": False},
            alt="The image with the loss of margin when each patch is covered.",
        )
        note(
            f"{row_label(shown.model)}: how much of the margin ({detail.margin:.2f}) is lost when one patch is covered with the image's mean. "
            "Blue patches speak against the class: covering them helps."
        )


@st.cache_resource(show_spinner=False, max_entries=32)
def _failures(key: str, _shown: Shown) -> go.Figure:
    found = first_failures(_shown.view, _shown.models, _shown.benchmark)
    return finished(fragility_figure(found.labels, found.sparsities, found.counts))


@st.cache_resource(show_spinner=False, max_entries=128)
def _paths(key: str, sample: int, _shown: Shown) -> go.Figure:
    paths = margin_paths(_shown.view, _shown.models, _shown.benchmark, sample)
    return finished(margin_lines(paths.labels, paths.sparsities, paths.values, parent=paths.parent))


@st.cache_resource(show_spinner=False, max_entries=128)
def _occlusion(key: str, sample: int, _detail: SampleDetail) -> go.Figure:
    return finished(occlusion_figure(_detail.image, _detail.loss))
