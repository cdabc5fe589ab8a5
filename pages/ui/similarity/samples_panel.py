"""Samples: the same images or texts as both networks see them, in one frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from core.errors import CoreError
from core.library.networks import Model, load_model
from core.plots.finished import finished
from core.plots.maps import sample_map
from core.plots.pictures import sample_strip
from core.text import for_markdown
from core.views import samples as sample_view
from core.views.samples import SampleView
from core.words import format_share
from pages.ui import resources, terms
from pages.ui.selection import samples_on
from pages.ui.setup import note
from pages.ui.similarity.selection import Compared

if TYPE_CHECKING:
    import plotly.graph_objects as go

_KEYS = {"a": "samples-a", "b": "samples-b"}
_SELECTED, _SHOWN = "sim-samples", "sim-samples-shown"
_MOST_PICTURES = 24


def panel(view: Compared) -> None:
    """Two maps and the selected samples."""
    terms.caption(
        "Each dot is a sample, placed by the selected layer of A (left) and of B (right, turned to lie on A as well as it "
        "can). Draw around some dots to see those samples and what both networks answer."
    )
    store = resources.store_or_none()
    try:
        a, b = (load_model(store, m.model_id) for m in (view.a, view.b))
        found = sample_view.sample_view(a, b, view.layer_a, view.layer_b, view.pooling, view.probe)
    except CoreError as error:
        st.info(for_markdown(error, 600), icon=":material/block:")
        return
    maps = found.maps
    parts = [
        (f"{maps.disparity:.2f}", "disparity: 0 the same shape, 1 nothing in common"),
        (
            f"{format_share(maps.overlap.mean())}",
            f"of {maps.neighbors} nearest neighbors in common, chance {format_share(found.chance)}",
        ),
        (
            f"{format_share(maps.explained_a)} and {format_share(maps.explained_b)}",
            "of the variance of A and B is in the drawing",
        ),
    ]
    st.html(
        f'<div class="ps-headline">{"".join(f"<div><b>{v}</b><span>{t}</span></div>" for v, t in parts)}</div>'
    )
    key = f"{a.key}-{b.key}-{view.layer_a}-{view.layer_b}-{view.pooling}-{view.probe}"
    shown = _shown(key)
    columns = st.columns(2, gap="small")
    for column, side, model in zip(columns, "ab", (a, b), strict=True):
        with column:
            title = f"{side.upper()}: {model.info.short}"
            st.plotly_chart(
                _figure(key, side, title, shown[side], shown["edition"], found),
                key=_KEYS[side],
                width="stretch",
                on_select=lambda s=side: _remember(s),
                selection_mode=("lasso", "box", "points"),
                config={"displaylogo": False},
                alt=f"Map of the samples as network {side.upper()} sees them, colored by class.",
            )
    _selected(view, a, b, found)
    note(
        "First two principal components of A's layer; B after the best rotation and scaling (Procrustes), then the same "
        "projection. Ringed: the 5 % of samples whose neighbors agree least. Two dimensions show only part of the "
        "variance: read the disparity, which is measured in all of them."
    )


def _remember(side: str) -> None:
    if ids := samples_on(_KEYS[side]):
        _select(tuple(ids), other="b" if side == "a" else "a")


def _selected(view: Compared, a: Model, b: Model, found: SampleView) -> None:
    ids = st.session_state.get(_SELECTED, ())
    rows = found.in_order(found.probe.rows_of(ids))
    with st.container(key="sample-images"):
        if not len(rows):
            st.caption("No samples selected: these are the ones whose neighbors agree least.")
            rows = found.least_alike[:12]
        else:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(
                    f"**{len(rows)}** samples selected{f'; the {_MOST_PICTURES} whose neighbors agree least are shown' if len(rows) > _MOST_PICTURES else ''}."
                )
                st.button("Clear", key="sample-clear", on_click=_clear, icon=":material/close:")
        rows = rows[:_MOST_PICTURES]
        captions, wrong = found.captions(rows)
        st.html(sample_strip(found.probe.shown(rows), captions, size=60, marked=wrong))
        st.caption("Class, then the answers of A and B. Framed: at least one of them is wrong.")


def _shown(key: str) -> dict[str, Any]:
    """What both maps highlight when they appear; new layers start with the selection there is."""
    shown: dict[str, Any] = st.session_state.get(_SHOWN, {})
    if shown.get("key") != key:
        selected = st.session_state.get(_SELECTED, ())
        shown = {"key": key, "a": selected, "b": selected, "edition": 0}
        st.session_state[_SHOWN] = shown
    return shown


def _select(ids: tuple[int, ...], other: str) -> None:
    """Remember a selection made on one map and show it on the other.

    A changed figure is a new chart, so the map under the pointer must stay as it is.
    """
    st.session_state[_SELECTED] = ids
    st.session_state[_SHOWN] = {**st.session_state.get(_SHOWN, {}), other: ids}


def _clear() -> None:
    shown = st.session_state.get(_SHOWN, {})
    st.session_state[_SELECTED] = ()
    st.session_state[_SHOWN] = {**shown, "a": (), "b": (), "edition": shown.get("edition", 0) + 1}


@st.cache_resource(show_spinner=False, max_entries=64)
def _figure(
    key: str, side: str, title: str, selected: tuple[int, ...], edition: int, _found: SampleView
) -> go.Figure:
    probe, points = _found.probe, _found.maps.a if side == "a" else _found.maps.b
    figure = sample_map(
        points,
        probe.y,
        probe.ids,
        probe.classes,
        _found.ringed,
        _found.bounds,
        title=title,
        selected=selected,
        edition=edition,
    )
    return finished(figure)
