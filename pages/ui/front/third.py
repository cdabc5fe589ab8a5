"""A third objective beside those of the axes, with a slider that limits it; box and lasso put subnets into the basket."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import CoreError
from core.objectives.base import objective
from core.records import Objective
from core.text import for_markdown
from core.views.regions import Region
from core.views.third_objective import LimitedFronts, Selected, limited_fronts, limits_told, selected_within
from core.words import count_of, format_count
from pages.ui import state, third_chart
from pages.ui.front import basket_many
from pages.ui.front import state as front_state
from pages.ui.front.scene import Scene
from pages.ui.front.view import View
from pages.ui.selection import Selection, picked_regions
from pages.ui.setup import note
from pages.ui.tables import html_table

if TYPE_CHECKING:
    import pandas as pd

KEY = "third-chart"
_REGIONS = "closer-regions"
_LIMITS = "closer-limits"

_picked: Selection[str] = Selection("third-picked", "third-picked-seed", "")


def draw(scene: Scene, kept: View, view: View) -> View:
    """The choosers, the chart and what was selected on it.

    Args:
        scene: of the page.
        kept: the view shown last.
        view: of the page, without what this panel adds.

    Returns:
        The view with what this panel adds.
    """
    names = _offered(scene)
    if not names:
        st.info("A third objective needs another one that was measured here and differs between subnets.")
        return view
    with st.container(horizontal=True, vertical_alignment="bottom"):
        third = _choose(names, kept)
        state.keep("closer-as", ("color", "size"), kept.third_as)
        shown_as = st.segmented_control(
            "Shown as",
            ["color", "size"],
            format_func=str.capitalize,
            key="closer-as",
            required=True,
            help="How the third objective is drawn; the slider below the chart limits it in any case.",
        )
    if kept.third and kept.third != third.name:
        front_state.third_limit.select(None)
    try:
        fronts = _fronts(scene.chart.key, (scene.x.name, scene.y.name, third.name), scene.front.table)
    except CoreError as error:
        st.info(for_markdown(error, 600), icon=":material/info:")
        return view
    _chart(scene, fronts, as_size=shown_as == "size")
    limit = front_state.third_limit.now()
    _selected(scene, fronts, fronts.nearest(limit))
    _told(scene, fronts)
    return replace(view, third=third.name, third_as=str(shown_as), third_limit=limit)


def _offered(scene: Scene) -> list[str]:
    """Objectives that may be chosen by, are on no axis, and differ between subnets."""
    table, taken = scene.front.table, (scene.x.name, scene.y.name)
    names = [g.name for g in scene.shown.goals if g.for_choosing and g.name not in taken]
    return [name for name in names if table[name].min() < table[name].max()]


def _choose(names: list[str], kept: View) -> Objective:
    state.keep("closer-third", names, kept.third if kept.third in names else names[0])
    name = st.selectbox(
        "Third objective",
        names,
        format_func=lambda n: objective(n).label,
        key="closer-third",
        width=230,
        help="Drawn as color or size. Drag the slider below the chart to limit it, and see what the limit costs: the "
        "solid line is the front of the subnets within it, the dotted one the front of all.",
    )
    return objective(name)


@st.cache_resource(show_spinner=False, max_entries=32)
def _fronts(key: str, names: tuple[str, str, str], _table: pd.DataFrame) -> LimitedFronts:
    return limited_fronts(_table, names)


def _chart(scene: Scene, fronts: LimitedFronts, *, as_size: bool) -> None:
    limit = front_state.third_limit
    if (selected := front_state.selected()) != _picked.now():
        # Selected elsewhere: the chart appears anew, without its box; its slider must not jump back.
        _picked.select(selected)
        limit.select(limit.now())
        st.session_state[_REGIONS] = ()
    look = third_chart.Look(
        key=f"{scene.chart.key}{fronts.names}",
        as_size=as_size,
        log_x=scene.chart.log_x,
        log_y=scene.chart.log_y,
        start=fronts.nearest(limit.seed()),
        one="subnet",
    )
    st.session_state[_LIMITS] = fronts.limits
    third_chart.chart(
        scene.front.table,
        fronts,
        look,
        _picked,
        widget=KEY,
        on_select=_remember,
        modes=("points", "box", "lasso"),
    )


def _remember() -> None:
    """A click selects a subnet, a box or lasso a region; both tell where the slider stands."""
    event = st.session_state.get(KEY)
    arch_id = third_chart.told(event, st.session_state.get(_LIMITS, ()), front_state.third_limit)
    st.session_state[_REGIONS] = regions = picked_regions(event)
    if arch_id and not regions:
        _picked.clicked(arch_id)
        front_state.select(arch_id)


def _selected(scene: Scene, fronts: LimitedFronts, at: int) -> None:
    """What a box or a lasso holds, and the way into the basket."""
    regions: tuple[Region, ...] = st.session_state.get(_REGIONS, ())
    if not regions:
        return
    found = _within(scene.chart.key, fronts.names, at, regions, scene.front.table, fronts)
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="third-selected"):
        st.markdown(
            f"**{format_count(len(found.everything))}** subnets selected, **{format_count(found.members)}** of them on this front"
        )
        basket_many.buttons(scene.shown.entry, found.everything, found.members, key="third-basket")


@st.cache_resource(show_spinner=False, max_entries=32)
def _within(
    key: str,
    names: tuple[str, ...],
    at: int,
    regions: tuple[Region, ...],
    _table: pd.DataFrame,
    _fronts: LimitedFronts,
) -> Selected:
    return selected_within(_table, _fronts, at, regions)


def _told(scene: Scene, fronts: LimitedFronts) -> None:
    """The chart in words and numbers, for those who do not see it or cannot drag."""
    note(
        "Click a point to select it and to put the limit into the link. The box and the lasso above the chart select "
        "several, also those that are not drawn. Limits, above the upper chart, keeps a limit for the whole page and "
        f"works with the keyboard. On the front of all three objectives: {count_of(fronts.on_all, 'subnet')}."
    )
    html_table(limits_told(scene.front.table, fronts), "What limits on the third objective cost")
