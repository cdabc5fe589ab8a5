"""A third objective of a table as color or size, with a slider that limits it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import CoreError
from core.plots.finished import finished
from core.plots.third_objective import SEPARATOR, third_figure, with_selected
from core.text import display_name, for_markdown
from core.views.table_third import ThirdFronts, third_fronts
from core.views.third_objective import limits_told
from core.words import format_count
from pages.ui import state as page_state
from pages.ui.selection import Selection, picked_texts
from pages.ui.setup import note
from pages.ui.table import settings, state
from pages.ui.table.scene import Scene
from pages.ui.table.view import View
from pages.ui.tables import html_table

if TYPE_CHECKING:
    import plotly.graph_objects as go

KEY = "table-third-chart"
_LIMITS = "table-third-limits"
_picked: Selection[str] = Selection("table-third-picked", "table-third-picked-seed", "")


def draw(scene: Scene, kept: View, view: View) -> View:
    """The choosers, the chart and what limits cost; returns the view with what this panel adds."""
    taken = (scene.x.name, scene.y.name)
    offered = {goal.name: goal for goal in settings.axes_of(scene.rows) if goal.name not in taken}
    if not offered:
        st.info("A third objective needs another column of numbers; choose it under Columns above.")
        return view
    with st.container(horizontal=True, vertical_alignment="bottom"):
        page_state.keep("tb-third", offered, kept.third if kept.third in offered else next(iter(offered)))
        third = st.selectbox(
            "Third objective",
            list(offered),
            format_func=lambda name: display_name(offered[name].label),
            key="tb-third",
            width=230,
        )
        page_state.keep("tb-third-as", ("color", "size"), kept.third_as)
        shown_as = st.segmented_control(
            "Shown as", ["color", "size"], format_func=str.capitalize, key="tb-third-as", required=True
        )
    if kept.third and kept.third != third:
        state.third_limit.select(None)
    try:
        found = _fronts(f"{scene.key}\n{third}", str(third), scene)
    except CoreError as error:
        st.info(for_markdown(error, 600), icon=":material/info:")
        return view
    _chart(scene, found, f"{scene.key}\n{third}", as_size=shown_as == "size")
    if found.sampled:
        note(
            "The chart and the fronts here are of the rows on the front of all three objectives and of a sample of the others."
        )
    note(
        "Drag the slider to limit the third objective; the dotted line is the front of all rows. Click a point to select it. On "
        f"the front of all three objectives: {format_count(found.fronts.on_all)} rows."
    )
    html_table(limits_told(found.table, found.fronts, one="row"), "What limits on the third objective cost")
    limit = state.third_limit.now()
    return replace(view, closer="third", third=str(third), third_as=str(shown_as), third_limit=limit)


@st.cache_resource(show_spinner="Comparing rows...", max_entries=4)
def _fronts(key: str, third: str, _scene: Scene) -> ThirdFronts:
    return third_fronts(_scene.rows, _scene.x, _scene.y, _scene.rows.goal(third), _scene.view.limits)


def _chart(scene: Scene, found: ThirdFronts, key: str, *, as_size: bool) -> None:
    limit = state.third_limit
    if (selected := state.selected()) != _picked.now():
        _picked.select(selected)
        limit.select(limit.now())
    st.session_state[_LIMITS] = found.fronts.limits
    look = (key, as_size, scene.log_x, scene.log_y, found.fronts.nearest(limit.seed()))
    with st.container(key="third-place"):
        st.plotly_chart(
            _selected(look, _picked.seed(), _picked.edition(), found),
            key=KEY,
            on_select=_remember,
            selection_mode="points",
            width="stretch",
            alt="Scatter chart of the rows with a third objective as color or size, the front within a limit on it, and a "
            "slider that moves the limit; the table below says what limits cost.",
            config={"displaylogo": False, "scrollZoom": True, "modeBarButtonsToRemove": ["autoScale2d"]},
        )


@st.cache_resource(show_spinner=False, max_entries=16)
def _selected(
    look: tuple[str, bool, bool, bool, int], selected: str, edition: int, _found: ThirdFronts
) -> go.Figure:
    return with_selected(_figure(look, _found), selected, edition)


@st.cache_resource(show_spinner=False, max_entries=8)
def _figure(look: tuple[str, bool, bool, bool, int], _found: ThirdFronts) -> go.Figure:
    _, as_size, log_x, log_y, start = look
    return finished(
        third_figure(
            _found.table, _found.fronts, as_size=as_size, log_x=log_x, log_y=log_y, start=start, one="row"
        )
    )


def _remember() -> None:
    texts = picked_texts(st.session_state.get(KEY))
    numbers = [int(n) for _, _, n in (text.partition(SEPARATOR) for text in texts) if n.isdecimal()]
    limits = st.session_state.get(_LIMITS, ())
    if numbers and numbers[0] < len(limits):
        state.third_limit.clicked(limits[numbers[0]])
    if texts:
        row = texts[0].partition(SEPARATOR)[0]
        _picked.clicked(row)
        state.select(row)
