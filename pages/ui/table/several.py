"""Several fronts in one chart: by columns (one per device), by groups of rows, or by tables."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import CoreError
from core.library import kept_tables
from core.plots.several_fronts import SEPARATOR
from core.text import display_name, for_markdown
from core.views.several_fronts import (
    MOST_FRONTS,
    SeveralFronts,
)
from core.views.table_several import MOST_ORDERED, by_columns, by_group, by_tables, sizes
from pages.ui import resources, several_fronts, state
from pages.ui.selection import picked_texts
from pages.ui.several_fronts import Chosen
from pages.ui.table import settings
from pages.ui.table import state as table_state
from pages.ui.table.scene import Scene
from pages.ui.table.view import View
from pages.ui.tables import html_table

if TYPE_CHECKING:
    pass

KEY = "table-several-chart"
_PICKED = "table-several-picked"
_WORDS = {"columns": "Several columns", "groups": "Groups of rows", "tables": "Several tables"}
_WIDE = 50.0


def draw(scene: Scene, kept: View, view: View) -> View:
    """What to compare, the chart, sizes, where the picked row is, how alike the orders are."""
    chosen = _choose(scene, kept)
    view = replace(view, beside=chosen.beside, fronts=chosen.fronts, normalized=chosen.normalized)
    if not chosen.fronts:
        st.info("Choose at least one front.", icon=":material/info:")
        return view
    key = f"{scene.rows.revision}{scene.x.name}\n{scene.y.name}\n{chosen}"
    try:
        found = _fronts(resources.place(), key, chosen, scene)
    except CoreError as error:
        st.info(for_markdown(error, 600), icon=":material/info:")
        return view
    picked = _picked(scene, found, chosen)
    several_fronts.chart(
        found,
        key,
        (scene.log_x, scene.log_y),
        picked,
        widget=KEY,
        on_click=lambda: _remember(scene, chosen),
        alt="Several fronts as step lines in one chart; the tables below say how large each is, where the picked row is on "
        "each, and how alike they order the rows.",
    )
    st.markdown("**How large each front is**")
    html_table(sizes(found), "Rows on each of the fronts")
    title = scene.title_of(picked[1]) if chosen.beside == "columns" else picked[1]
    several_fronts.where(found, picked, for_markdown(title, 60), "row")
    several_fronts.in_numbers(found, key, "row", f"fronts-{chosen.beside}")
    several_fronts.orders(found, key, "rows", MOST_ORDERED)
    return view


def _choose(scene: Scene, kept: View) -> Chosen:
    offered = _offered(scene)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        first = next(iter(offered))
        state.keep("tb-beside", list(offered), kept.beside if kept.beside in offered else first)
        beside = str(
            st.segmented_control(
                "Fronts of",
                list(offered),
                format_func=_WORDS.__getitem__,
                key="tb-beside",
                required=True,
                help="The same rows by several columns across (latency on several devices, say); groups of rows, where a column "
                "says which group a row belongs to; other tables that have the columns of both axes.",
            )
        )
        names = offered[beside]
        chosen = several_fronts.choose_fronts(
            f"tb-fronts-{beside}",
            names,
            kept.fronts if kept.beside == beside else (),
            lambda: _usual(beside, names, scene),
        )
        normalized = False
        if beside == "tables":
            state.start("tb-normalized", kept.normalized)
            normalized = st.toggle(
                "Shares of the largest",
                key="tb-normalized",
                help="Each front in percent of its table's own largest values: shapes compare although units differ.",
            )
    return Chosen(beside, chosen, normalized)


def _offered(scene: Scene) -> dict[str, dict[str, str]]:
    """What can be compared: id -> what a person reads, by kind."""
    axes = settings.axes_of(scene.rows)
    found = {
        "columns": {
            g.name: display_name(g.label)
            for g in axes
            if g.maximize == scene.x.maximize and g.name != scene.y.name
        }
    }
    group = scene.rows.mapping.group
    if group:
        values = _groups(f"{scene.rows.revision}{group}", scene)
        found["groups"] = {value: display_name(value, 60) for value in values}
    store = resources.store_or_none()
    others = {table.table_id: display_name(table.name) for table in store.tables.list()} if store else {}
    if len(others) > 1:
        found["tables"] = others
    return found


@st.cache_resource(show_spinner=False, max_entries=16)
def _groups(key: str, _scene: Scene) -> list[str]:
    column = _scene.rows.frame[_scene.rows.mapping.group].dropna().astype("str")
    return [str(value) for value in column.value_counts().index[:200]]


def _usual(beside: str, names: dict[str, str], scene: Scene) -> list[str]:
    """What is compared at first: columns called alike but for the device, the largest groups, this table and the next."""
    if beside == "columns":
        last = _last_word(scene.x.name)
        alike = [name for name in names if _last_word(name) == last and name != scene.x.name]
        same = [name for name in alike if name.partition("__")[0] == scene.x.name.partition("__")[0]]
        return (
            [scene.x.name, *(same or alike or names)][:MOST_FRONTS]
            if scene.x.name in names
            else list(names)[:2]
        )
    first = [scene.table.table_id] if beside == "tables" else []
    return list(dict.fromkeys([*first, *names]))[: 2 if beside == "tables" else MOST_FRONTS]


def _last_word(name: str) -> str:
    return name.replace("-", "_").rpartition("_")[2].lower()


@st.cache_resource(show_spinner="Comparing rows...", max_entries=4)
def _fronts(place: str, key: str, chosen: Chosen, _scene: Scene) -> SeveralFronts:
    if chosen.beside == "columns":
        return by_columns(_scene.rows, chosen.fronts, _scene.y)
    if chosen.beside == "groups":
        return by_group(_scene.rows, chosen.fronts, _scene.x, _scene.y)
    store = resources.store()
    tables = {table.table_id: table for table in store.tables.list()}
    read = [
        (i, tables[i].name, kept_tables.opened(store, tables[i])[1]) for i in chosen.fronts if i in tables
    ]
    return by_tables(read, _scene.x.name, _scene.y.name, normalized=chosen.normalized)


def _remember(scene: Scene, chosen: Chosen) -> None:
    """A row of this table's own columns is selected on the whole page, any other only here."""
    for text in picked_texts(st.session_state.get(KEY))[:1]:
        series, _, identity = text.partition(SEPARATOR)
        if chosen.beside == "columns":
            st.session_state.pop(_PICKED, None)
            table_state.select(identity)
        else:
            st.session_state[_PICKED] = (scene.key, series, identity)


def _picked(scene: Scene, found: SeveralFronts, chosen: Chosen) -> tuple[str, str]:
    """(series, id) of what was clicked here, else the page's row in the series that it belongs to."""
    key, series, identity = st.session_state.get(_PICKED, ("", "", ""))
    if key == scene.key and any(each.key == series for each in found.series):
        return series, identity
    row = table_state.selected()
    if chosen.beside == "columns":
        return found.series[0].key, row
    own = scene.table.table_id
    return next((each.key for each in found.series if each.key == own), found.series[0].key), scene.name_of(
        row
    )
