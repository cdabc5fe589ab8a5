"""Parallel coordinates of all objectives and choices: boxes on the axes are ranges, which select subnets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from core.objectives.base import objective
from core.plots.finished import finished
from core.plots.parallel import MOST_LINES, parallel_figure
from core.records import Objective
from core.spaces import SearchSpace
from core.text import for_markdown
from core.views.brushes import Brush
from core.views.parallel import Matches, Parallel, parallel
from core.words import count_of, format_count
from pages.ui import state
from pages.ui.front import basket_many
from pages.ui.front import state as front_state
from pages.ui.front.scene import Scene
from pages.ui.front.view import View
from pages.ui.front.what_if import Shown, describe
from pages.ui.selection import picked_regions, picked_texts
from pages.ui.setup import note

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

KEY = "parallel-chart"
_BRUSHES = "closer-brushes"
_MOST_LISTED = 200
_LINES = {"front": "The front", "all": "All subnets"}


def draw(scene: Scene, kept: View, view: View) -> View:
    """The chart, its ranges, and what passes through them; see `closer.Panel`."""
    goals = tuple(goal for goal in scene.shown.goals if goal.for_choosing)
    key = f"{scene.chart.key}{_names(scene, goals)}"
    lines = _parallel(key, _names(scene, goals), scene.shown.entry.space, scene.front.table)
    state.start(_BRUSHES, tuple(b for b in kept.brushes if lines.axis(b.name) is not None))
    state.keep("closer-lines", list(_LINES), kept.lines)
    brushes: tuple[Brush, ...] = st.session_state[_BRUSHES]
    found = _matches(key, brushes, lines)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        drawn = st.segmented_control(
            "Lines",
            list(_LINES),
            format_func=_LINES.__getitem__,
            key="closer-lines",
            required=True,
            help=f"The front's members alone, or with at most {MOST_LINES} of the other subnets within the ranges.",
        )
        _buttons(scene, lines, brushes, found)
    _told(lines, brushes, found)
    st.plotly_chart(
        _figure(
            key,
            brushes,
            drawn == "all",
            front_state.selected(),
            lines,
        ),
        key=KEY,
        on_select=lambda: _remember(lines),
        selection_mode=("points", "box"),
        width="stretch",
        alt="Parallel coordinates: each subnet is a line over all objectives and choices, the selected one is thick. "
        "The list below holds the subnets within the ranges.",
        config={
            "displaylogo": False,
            "modeBarButtonsToRemove": ["autoScale2d", "zoom2d", "zoomIn2d", "zoomOut2d", "resetScale2d"],
        },
    )
    _listed(scene, found)
    note(
        "Drag over an axis to set a range, over several axes to set several; Back takes the last one away. Better is "
        "higher on every objective. To click a line, choose Pan above the chart first. Axes cannot be moved: the browser "
        "reports boxes and clicks only."
    )
    return replace(view, lines=str(drawn), brushes=brushes)


def _names(scene: Scene, goals: Sequence[Objective]) -> tuple[str, ...]:
    """The axes of the chart above first."""
    first = [scene.y.name, scene.x.name]
    return tuple(dict.fromkeys([*first, *(goal.name for goal in goals)]))


# Few: one of a space of 100,000 subnets takes 30 MB.
@st.cache_resource(show_spinner=False, max_entries=3)
def _parallel(key: str, names: tuple[str, ...], _space: SearchSpace, _table: pd.DataFrame) -> Parallel:
    return parallel(_space, _table, [objective(name) for name in names])


@st.cache_resource(show_spinner=False, max_entries=32)
def _matches(key: str, brushes: tuple[Brush, ...], _lines: Parallel) -> Matches:
    return _lines.matches(brushes)


@st.cache_resource(show_spinner=False, max_entries=32)
def _figure(
    key: str, brushes: tuple[Brush, ...], everything: bool, selected: str, _lines: Parallel
) -> go.Figure:
    return finished(parallel_figure(_lines, brushes, everything=everything, selected=selected))


def _remember(lines: Parallel) -> None:
    """A box sets ranges; a click selects the subnet of the line."""
    event = st.session_state.get(KEY)
    if regions := picked_regions(event):
        st.session_state[_BRUSHES] = lines.brushed(st.session_state.get(_BRUSHES, ()), regions)
    elif texts := picked_texts(event):
        front_state.select(texts[0])


def _clear() -> None:
    st.session_state[_BRUSHES] = ()


def _buttons(scene: Scene, lines: Parallel, brushes: Sequence[Brush], found: Matches) -> None:
    st.button(
        "Clear the ranges",
        key="parallel-clear",
        icon=":material/clear:",
        disabled=not brushes,
        on_click=_clear,
    )
    limits = lines.limits(brushes)
    if st.button(
        "Use as limits",
        key="parallel-limits",
        icon=":material/tune:",
        disabled=not limits,
        help="The better end of a range stays open: at least so accurate, at most so many MACs. The chart above and its "
        "front then hold only subnets that meet them.",
    ):
        front_state.limit_to(limits)
        st.rerun()
    if brushes:
        basket_many.buttons(scene.shown.entry, found.ids, found.members, key="parallel-basket")


def _told(lines: Parallel, brushes: Sequence[Brush], found: Matches) -> None:
    if not brushes:
        st.markdown(
            f"No range is set: **{format_count(found.members)}** of {count_of(len(found.ids), 'subnet')} are on the front."
        )
        return
    said = "; ".join(lines.told(brush) for brush in brushes)
    st.markdown(
        f"**{format_count(len(found.ids))}** of {count_of(len(lines.ids), 'subnet')}, **{format_count(found.members)}** of "
        f"them on the front, have {for_markdown(said, 800)}."
    )


def _listed(scene: Scene, found: Matches) -> None:
    """The subnets within the ranges, those on the front first: the way to one of them without a mouse."""
    ids = found.ids[:_MOST_LISTED]
    if not ids:
        return
    now = front_state.selected()
    key = "pick-within"
    st.session_state[key] = now if now in ids else None
    st.selectbox(
        "Subnets within the ranges",
        ids,
        format_func=lambda i: _text(scene.shown, i, (scene.x.name, scene.y.name)),
        key=key,
        index=None,
        placeholder="choose one to select it",
        on_change=lambda: _chosen(key),
        help=f"At most {_MOST_LISTED}, the front's members first.",
    )


def _text(shown: Shown, arch_id: str, names: Sequence[str]) -> str:
    return describe(shown, arch_id, names)


def _chosen(key: str) -> None:
    if st.session_state[key]:
        front_state.select(st.session_state[key])
