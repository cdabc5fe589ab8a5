"""The part of the Tables page that a click changes: chart, card and the panels below, in one fragment."""

from __future__ import annotations

import streamlit as st

from core.library.imported_tables import rows_written
from core.plots.style import scale
from core.text import display_name, for_markdown
from core.views.table_front import row_of
from core.words import column_label, count_of, format_count, format_value, table_format
from pages.ui import closer_look
from pages.ui.setup import share
from pages.ui.table import card, chart, compare, files, state
from pages.ui.table.scene import Scene
from pages.ui.table.view import View
from pages.ui.tables import height_of

_TABLE = "tb-front-table"
_MOST_ROWS = 2_000
_KNEES = {"distance": "Knee", "utility": "Knee by utility"}
_TITLES = {"several": "Several fronts", "third": "Third objective"}


@st.fragment
def hero(scene: Scene) -> None:
    """Draw everything that depends on the selected row, and write the selection into the address."""
    if row_of(scene.rows, state.selected()) is None:
        knee = next(iter(scene.found.front.knees.values()), str(int(scene.found.at[0]) + 1))
        state.select(knee)
    with st.container(key="hero"):
        left, right = st.columns([2, 1], gap="medium")
    with right, st.container(key="subnet-card"):
        row = card.choose_row(scene)
        card.draw(scene, row)
    with left:
        with st.container(key="chart-place"):
            chart.draw(scene)
        _facts(scene, row)
        _panels(scene, row)
    share(
        state.publish(_closer(scene)),
        "Opening this address on this server shows the same table, axes, limits and rows.",
    )


def _facts(scene: Scene, row: str) -> None:
    found = scene.found
    with st.container(horizontal=True, vertical_alignment="center", key="front-facts"):
        for name, member in found.front.knees.items():
            st.button(
                _KNEES[name],
                key=f"tb-knee-{name}",
                icon=":material/diamond:",
                on_click=state.select,
                args=(member,),
            )
        files.figure(files.Files(scene), row)
        reference = ", ".join(
            format_value(value, goal)
            for value, goal in zip(found.front.reference, (scene.x, scene.y), strict=True)
        )
        st.markdown(
            f"**{format_count(len(found.at))}** on the front of **{format_count(found.n_kept)}** rows",
            help=f"Hypervolume {found.front.hypervolume:.4g}, against the reference point {reference}.",
        )
    beyond = (
        f"{count_of(found.n_beyond, 'row')} do{'es' * (found.n_beyond == 1)} not meet the limits."
        if found.n_beyond
        else ""
    )
    for sentence in (beyond, *scene.about.notes, *found.told):
        if sentence:
            st.caption(for_markdown(sentence, 600))


def _panels(scene: Scene, row: str) -> None:
    rows, other = st.tabs(["Table", "Compare"], key="table-tabs", on_change="rerun")
    if rows.open:
        with rows:
            _front_table(scene)
            files.buttons(files.Files(scene))
    if other.open:
        with other:
            compare.panel(scene, row)


def _front_table(scene: Scene) -> None:
    at = scene.found.at[:_MOST_ROWS]
    names = [goal.name for goal in scene.rows.goals]
    frame = rows_written(scene.rows, at, at.tolist(), [scene.y.name, scene.x.name])
    first = str(frame.columns[0])
    ordered = [
        first,
        scene.y.name,
        scene.x.name,
        *(n for n in names if n not in (scene.y.name, scene.x.name)),
    ]
    shown = frame[[name for name in dict.fromkeys(ordered) if name in frame]]
    goals = {goal.name: goal for goal in scene.rows.goals}
    shown = shown.assign(**{n: scene.rows.values[n][at] * scale(g).factor for n, g in goals.items()})
    ids = [str(position + 1) for position in at.tolist()]
    st.dataframe(
        shown,
        key=_TABLE,
        hide_index=True,
        on_select=lambda: _row_chosen(ids),
        selection_mode="single-row",
        column_config={first: st.column_config.TextColumn(display_name(first))}
        | {
            name: st.column_config.NumberColumn(display_name(column_label(goal)), format=table_format(goal))
            for name, goal in goals.items()
        },
        height=height_of(len(shown), most=8),
        width="stretch",
        alt="Table of the rows on the front",
    )
    if len(scene.found.at) > _MOST_ROWS:
        st.caption(f"The first {count_of(_MOST_ROWS, 'row')} are shown; the files below hold all.")


def _row_chosen(ids: list[str]) -> None:
    rows = st.session_state[_TABLE]["selection"]["rows"]
    if rows and rows[0] < len(ids):
        state.select(ids[rows[0]])


def _closer(scene: Scene) -> View:
    return closer_look.draw(
        scene,
        scene.view,
        state.kept_view(),
        folder="pages.ui.table",
        titles=_TITLES,
        key="tb-closer",
        about="Fronts by several columns, groups of rows or tables in one chart, with how alike they order the rows; a third "
        "objective as color or size.",
    )
