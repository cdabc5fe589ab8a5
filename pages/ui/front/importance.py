"""Which choices matter for which objective over the whole space, and which options the front's members share."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from core.library.fronts import Front
from core.library.supernets import SupernetEntry
from core.objectives.base import objective
from core.plots.finished import finished
from core.plots.importance import importance_figure, pairs_figure, shared_figure
from core.spaces import SearchSpace
from core.text import for_markdown
from core.views.importance import ImportanceView, importance_view, shared_options, summary, told
from pages.ui import state
from pages.ui.front.scene import Scene
from pages.ui.front.view import View
from pages.ui.setup import note

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

_STILL = {"displayModeBar": False}


def draw(scene: Scene, kept: View, view: View) -> View:
    """The shares of every choice, the pairs of one objective, the options of the front; see `closer.Panel`."""
    shown = scene.shown
    names = tuple(goal.name for goal in shown.goals if goal.for_choosing)
    found = _importance(shown.revision, names, shown.entry, shown.table)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        chosen = _importances(scene, found, kept)
    with right:
        _shared(scene)
    return replace(view, pairs_of=chosen)


@st.cache_resource(show_spinner="Counting over the whole space...", max_entries=16)
def _importance(
    revision: str, names: tuple[str, ...], _entry: SupernetEntry, _table: pd.DataFrame
) -> ImportanceView:
    return importance_view(_entry, _table, names)


def _importances(scene: Scene, found: ImportanceView, kept: View) -> str:
    st.markdown(
        "**How much of the differences each choice explains**, in percent of the variance over the whole space",
        help="Functional analysis of variance (Hutter and others, 2014), counted over every architecture: nothing is "
        "fitted. A choice alone: how far the means of its options lie apart. Two together: what they do beyond that. "
        "Every option counts alike; where a choice does not matter (a block beyond the depth), it explains nothing.",
    )
    for sentence in found.told:
        st.caption(for_markdown(sentence, 600))
    if not found.goals:
        return ""
    _still(_shares_chart(scene.shown.revision, found), "importance-shares", _alt(found))
    names = [goal.name for goal in found.goals]
    state.keep("closer-pairs", names, kept.pairs_of if kept.pairs_of in names else _first(scene, names))
    chosen = str(
        st.selectbox(
            "Pairs of choices for",
            names,
            format_func=lambda n: objective(n).label,
            key="closer-pairs",
            width=230,
            help="What two choices explain together, beyond what each explains alone.",
        )
    )
    st.caption(for_markdown(summary(found, chosen), 600))
    if len(found.of(chosen).names) > 1:
        alt = "Heatmap of what every two choices explain together; the sentence above says how much all pairs explain."
        _still(_pairs_chart(scene.shown.revision, chosen, found), "importance-pairs", alt)
    return chosen


def _first(scene: Scene, names: list[str]) -> str:
    return scene.y.name if scene.y.name in names else names[0]


def _alt(found: ImportanceView) -> str:
    return "Heatmap of what each choice explains. " + " ".join(summary(found, g.name) for g in found.goals)


def _shared(scene: Scene) -> None:
    st.markdown(
        "**Which options the front's members share**",
        help="How often each option occurs on the front, against all subnets that meet the limits.",
    )
    key = f"{scene.chart.key}{scene.front.names}"
    everyone = "all subnets" if scene.covered.complete else "all measured subnets"
    said, chart = _shared_chart(key, everyone, scene.shown.entry.space, scene.front)
    st.caption(for_markdown(said, 1200))
    alt = f"Bars: how often each option occurs on the front, marks: among {everyone}. {said}"
    _still(chart, "importance-shared", alt)
    note(
        f"The mark on each bar is the share among {everyone}: a bar far beyond it is what the front prefers."
    )


@st.cache_resource(show_spinner=False, max_entries=16)
def _shared_chart(key: str, everyone: str, _space: SearchSpace, _front: Front) -> tuple[str, go.Figure]:
    """What is said of the options, and the chart of them."""
    shared = shared_options(_space, _front.table, _front.members)
    return told(shared, len(_front.members), everyone), finished(shared_figure(shared))


@st.cache_resource(show_spinner=False, max_entries=16)
def _shares_chart(revision: str, _found: ImportanceView) -> go.Figure:
    return finished(importance_figure(_found))


@st.cache_resource(show_spinner=False, max_entries=32)
def _pairs_chart(revision: str, name: str, _found: ImportanceView) -> go.Figure:
    return finished(pairs_figure(_found, name))


def _still(figure: go.Figure, key: str, alt: str) -> None:
    st.plotly_chart(figure, key=key, width="stretch", alt=alt, config=_STILL)
