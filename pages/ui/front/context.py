"""Memory and context: the front of a language model at every context, moved by a slider while it is dragged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.objectives.base import objective
from core.plots.context_fronts import SEPARATOR, context_figure
from core.plots.finished import finished
from core.records import Objective
from core.views.context_fronts import ContextFronts, context_fronts, contexts_told
from core.views.memory import CONTEXTS, MEMORY, QUALITIES, Setting
from core.views.uniform import uniform_rows
from pages.ui.front import memory
from pages.ui.front import state as front_state
from pages.ui.front.scene import Scene
from pages.ui.front.view import View
from pages.ui.selection import picked_on
from pages.ui.setup import note
from pages.ui.tables import html_table

if TYPE_CHECKING:
    import plotly.graph_objects as go

KEY = "context-chart"
_MOVED = "context-moved"


def draw(scene: Scene, kept: View, view: View) -> View:
    """The chart with its slider, and the table that says the same.

    Args:
        scene: of the page.
        kept: the view shown last.
        view: of the page.

    Returns:
        The view as it is: a click changes the context of the whole page.
    """
    quality = _quality(scene)
    if quality is None:
        st.info(
            "Nothing that was measured here says how well a subnet predicts text.", icon=":material/info:"
        )
        return view
    setting = Setting(view.context, view.batch, view.precision, view.cache)
    fronts = _fronts(scene.chart.key, quality.name, setting, scene)
    st.plotly_chart(
        _figure(scene.chart.key, quality.name, setting, scene, fronts),
        key=KEY,
        on_select=_clicked,
        selection_mode="points",
        width="stretch",
        alt="Scatter chart of quality and memory with the front, the uniform sizes, and a slider that moves both over contexts; "
        "the table below says the same.",
        config={
            "displaylogo": False,
            "scrollZoom": True,
            "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
        },
    )
    if st.session_state.pop(_MOVED, False):
        st.rerun()  # the sliders of the page stand elsewhere, and follow
    note(
        "Drag the slider: the longer the texts, the more of the memory is KV cache, and subnets with fewer key heads or fewer layers "
        "come to the front. Click a point to select it and to set the context of the whole page."
    )
    html_table(contexts_told(scene.front.table, fronts), "The front at some contexts")
    return view


def _quality(scene: Scene) -> Objective | None:
    """The vertical axis where it does not depend on the context, else how well text is predicted."""
    names = [goal.name for goal in scene.shown.goals if goal.for_choosing]
    for name in (scene.y.name, *QUALITIES, "loss", "accuracy"):
        if name in names and name != MEMORY and objective(name).split:
            return objective(name)
    return None


@st.cache_resource(show_spinner=False, max_entries=16)
def _fronts(key: str, quality: str, setting: Setting, _scene: Scene) -> ContextFronts:
    table = _scene.front.table
    uniform = uniform_rows(_scene.shown.entry.space, table["arch_id"].tolist())
    return context_fronts(table, objective(quality), setting, uniform)


@st.cache_resource(show_spinner=False, max_entries=16)
def _figure(key: str, quality: str, setting: Setting, _scene: Scene, _fronts: ContextFronts) -> go.Figure:
    return finished(context_figure(_scene.front.table, _fronts))


def _clicked() -> None:
    """A click selects a subnet, and sets the context that the slider stood at."""
    arch_id, _, number = picked_on(KEY).partition(SEPARATOR)
    if not arch_id or not number.isdecimal() or int(number) >= len(CONTEXTS):
        return
    front_state.select(arch_id)
    st.session_state[_MOVED] = memory.set_context(CONTEXTS[int(number)])
