"""A third objective of a table as color or size, with a slider that limits it."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.errors import CoreError
from core.text import display_name, for_markdown
from core.views.table_third import ThirdFronts, third_fronts
from core.views.third_objective import limits_told
from core.words import count_of
from pages.ui import state as page_state
from pages.ui import third_chart
from pages.ui.selection import Selection
from pages.ui.setup import note
from pages.ui.table import settings, state
from pages.ui.table.scene import Scene
from pages.ui.table.view import View
from pages.ui.tables import html_table

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
        f"the front of all three objectives: {count_of(found.fronts.on_all, 'row')}."
    )
    html_table(limits_told(found.table, found.fronts, one="row"), "What limits on the third objective cost")
    limit = state.third_limit.now()
    return replace(view, third=str(third), third_as=str(shown_as), third_limit=limit)


@st.cache_resource(show_spinner="Comparing rows...", max_entries=4)
def _fronts(key: str, third: str, _scene: Scene) -> ThirdFronts:
    return third_fronts(_scene.rows, _scene.x, _scene.y, _scene.rows.goal(third), _scene.view.limits)


def _chart(scene: Scene, found: ThirdFronts, key: str, *, as_size: bool) -> None:
    limit = state.third_limit
    if (selected := state.selected()) != _picked.now():
        _picked.select(selected)
        limit.select(limit.now())
    st.session_state[_LIMITS] = found.fronts.limits
    look = third_chart.Look(
        key=key,
        as_size=as_size,
        log_x=scene.log_x,
        log_y=scene.log_y,
        start=found.fronts.nearest(limit.seed()),
        one="row",
    )
    third_chart.chart(
        found.table, found.fronts, look, _picked, widget=KEY, on_select=_remember, modes=("points",)
    )


def _remember() -> None:
    row = third_chart.told(st.session_state.get(KEY), st.session_state.get(_LIMITS, ()), state.third_limit)
    if row:
        _picked.clicked(row)
        state.select(row)
