"""The card of the selected row: its numbers and ranks, what its other columns say, its neighbors on the front."""

from __future__ import annotations

import html
from collections.abc import Sequence

import streamlit as st

from core.plots.style import format_obtained
from core.records import Objective, Obtained, Source
from core.text import display_name
from core.views.table_front import Standing, cells, choices, standing_of
from core.words import count_of, format_count, format_value
from pages.ui import terms
from pages.ui.table import state
from pages.ui.table.scene import Scene
from pages.ui.tables import html_table

_CHOOSER = "tb-pick-row"
_MOST_OFFERED = 400
_FIRST_GOALS = 6
_MOST_CHOICES = 60


def choose_row(scene: Scene) -> str:
    """The selected row's number, chosen among the front's (and what was clicked elsewhere)."""
    current = state.selected()
    ids = [str(at + 1) for at in scene.found.at[:_MOST_OFFERED].tolist()]
    options = ids if current in ids else [current, *ids]
    st.session_state[_CHOOSER] = current
    return str(
        st.selectbox(
            "Row",
            options,
            format_func=lambda row: _describe(scene, row),
            key=_CHOOSER,
            on_change=lambda: state.selection.chosen(st.session_state[_CHOOSER]),
            help="The front's rows in order. Clicking a point on the chart selects it here too.",
        )
    )


def _describe(scene: Scene, row: str) -> str:
    at = int(row) - 1
    values = [format_value(float(scene.rows.values[g.name][at]), g) for g in (scene.y, scene.x)]
    return f"{', '.join(values)} · {display_name(scene.title_of(row), 40)}"


def draw(scene: Scene, row: str) -> None:
    """Everything about one row."""
    at = int(row) - 1
    standing = _standing(scene.key, row, scene)
    _headline(scene, row)
    _verdict(scene, standing)
    _neighbors(scene, at, standing)
    _numbers(scene, at, standing)
    inside = scene.rows.mapping.configuration
    said = {**choices(scene.name_of(row)), **cells(scene.rows, at, inside)}
    if said:
        st.caption("What else the table says of it")
        shown = [{"column": name, "value": value} for name, value in list(said.items())[:_MOST_CHOICES]]
        html_table(shown, "Other columns of the row")


@st.cache_resource(show_spinner=False, max_entries=512)
def _standing(key: str, row: str, _scene: Scene) -> Standing:
    return standing_of(_scene.rows, _scene.found, _scene.x, _scene.y, int(row) - 1)


def _headline(scene: Scene, row: str) -> None:
    at = int(row) - 1
    parts = [
        f"<div><b>{format_value(float(scene.rows.values[g.name][at]), g)}</b><span>{html.escape(display_name(g.label))}</span></div>"
        for g in (scene.y, scene.x)
    ]
    name = html.escape(display_name(scene.title_of(row)))
    parts.append(f"<div><code>{name}</code><span>Row {row} of the table</span></div>")
    st.html(f'<h2 class="ps-unseen">The selected row</h2><div class="ps-headline">{"".join(parts)}</div>')


def _verdict(scene: Scene, standing: Standing) -> None:
    if standing.beaten_by is None:
        st.caption("It has no values of both axes that count, so it is not on the chart.")
    elif standing.beaten_by:
        n = standing.beaten_by
        st.caption(f"{count_of(n, 'row')} beat{'s' * (n == 1)} it in both objectives of the axes.")
    else:
        terms.caption("No row beats it in both objectives of the axes.")


def _numbers(scene: Scene, at: int, standing: Standing) -> None:
    """The axes and some further objectives; where there are more, the others fold away."""
    axes = (scene.y, scene.x)
    goals = [*axes, *(goal for goal in scene.rows.goals if goal not in axes and goal.name in standing.ranks)]
    _number_table(scene, at, standing, goals[:_FIRST_GOALS], "Objectives of the row")
    if rest := goals[_FIRST_GOALS:]:
        with st.expander(f"{len(rest)} more objectives", key="tb-more-goals"):
            _number_table(scene, at, standing, rest, "Further objectives of the row")


def _number_table(
    scene: Scene, at: int, standing: Standing, goals: Sequence[Objective], caption: str
) -> None:
    rows = []
    for goal in goals:
        value, rank = float(scene.rows.values[goal.name][at]), standing.ranks.get(goal.name)
        if rank is None:
            continue
        guessed = scene.rows.guessed.get(goal.name)
        source = Source.PREDICTED if guessed is not None and guessed[at] and goal.how.may_stand else goal.how
        rows.append(
            f"<tr><th scope='row'>{html.escape(display_name(goal.label))}</th>"
            f"<td class='value'>{format_value(value, goal)}"
            f"<small>place {format_count(rank[0])} of {format_count(rank[1])}</small></td>"
            f"<td class='how'>{html.escape(format_obtained(goal, Obtained(source)))}</td></tr>"
        )
    said = f'<caption class="ps-unseen">{caption}, with its place by each alone</caption>'
    st.html(
        f'<div class="ps-scroll" tabindex="0" role="group" aria-label="{caption}">'
        f'<table class="ps-metrics">{said}<tbody>{"".join(rows)}</tbody></table></div>'
    )


def _neighbors(scene: Scene, at: int, standing: Standing) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="tb-neighbors"):
        for word, side, icon, row in (
            ("Left neighbor", "left", ":material/arrow_back:", standing.below),
            ("Right neighbor", "right", ":material/arrow_forward:", standing.above),
        ):
            st.button(
                word,
                key=f"tb-{side}",
                icon=icon,
                on_click=state.select,
                args=(row,),
                disabled=not row,
                help="The front's row next to it along the horizontal axis.",
            )
        kept = str(at + 1) in state.kept_rows()
        st.button(
            "Kept below" if kept else "Keep to compare",
            key="tb-keep",
            icon=":material/bookmark:",
            on_click=state.keep_row,
            args=(str(at + 1),),
            disabled=kept,
            help="Puts this row beside others in the tab Compare, and into the link.",
        )
