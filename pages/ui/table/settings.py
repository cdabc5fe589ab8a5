"""The settings bar of the Tables page: axes, limits, scales."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.library.imported_tables import TableRows
from core.library.kept_tables import TableAbout
from core.pareto import Constraint
from core.records import Objective
from core.store.imported import ImportedTable
from core.views.table_front import TableFront, stops, table_front, wide
from core.words import format_value
from pages.ui import choosers, state, terms
from pages.ui.table.scene import Scene
from pages.ui.table.view import View


def axes_of(rows: TableRows) -> list[Objective]:
    """Objectives that may be on an axis: those with values, none of them a guess alone."""
    usable = []
    for goal in rows.goals:
        left = rows.left[goal.name]
        if goal.how.may_stand and left.total < len(rows):
            usable.append(goal)
    return usable


def usual_pair(axes: list[Objective]) -> tuple[str, str]:
    """(up, across): a quality and a cost where both are there."""
    y = next((goal for goal in axes if goal.maximize), axes[0])
    x = next(
        (g for g in axes if not g.maximize and g.name != y.name), next(g for g in axes if g.name != y.name)
    )
    return y.name, x.name


def choose(
    table: ImportedTable, about: TableAbout, rows: TableRows, view: View, axes: list[Objective]
) -> Scene:
    """Draw the settings; returns what is chosen now, with the front.

    Raises:
        InvalidInput: nothing counts in both objectives.
    """
    up, across = usual_pair(axes)
    y = choosers.choose_axis("Vertical axis", "tb-y", axes, view.y, up)
    x = choosers.choose_axis("Horizontal axis", "tb-x", axes, view.x, across, taken=y.name)
    limits = _limits(rows, axes, view)
    with st.popover("More", icon=":material/more_horiz:", key="tb-more"):
        log_x = _log("Logarithmic across", "tb-log-x", view.log_x if x.name == view.x else None, rows, x)
        log_y = _log("Logarithmic up", "tb-log-y", view.log_y if y.name == view.y else None, rows, y)
        line = st.toggle("Line through the front", value=True, key="tb-line")
        knees = st.toggle(
            "Mark the knee",
            value=True,
            key="tb-knee-marks",
            help="The row where giving up a little of one objective buys most of the other.",
        )
        picture = st.segmented_control(
            "Picture format",
            ["svg", "png"],
            default="svg",
            required=True,
            key="tb-picture",
            help="What the camera button above the chart saves.",
        )
    key = f"{rows.revision}{x.name}\n{y.name}\n{limits}"
    now = replace(view, table=table.table_id, x=x.name, y=y.name, log_x=log_x, log_y=log_y, limits=limits)
    return Scene(
        table=table,
        about=about,
        rows=rows,
        x=x,
        y=y,
        found=_front(key, x, y, limits, rows),
        key=key,
        log_x=log_x,
        log_y=log_y,
        line=line,
        mark_knees=knees,
        picture=str(picture),
        view=now,
    )


@st.cache_resource(show_spinner=False, max_entries=64)
def _front(
    key: str, _x: Objective, _y: Objective, _limits: tuple[Constraint, ...], _rows: TableRows
) -> TableFront:
    return table_front(_rows, _x, _y, _limits)


def _log(label: str, key: str, current: bool | None, rows: TableRows, goal: Objective) -> bool:
    of = f"{key}-{goal.name}"
    if of not in st.session_state:
        st.session_state[of] = wide(rows, goal) if current is None else current
    return bool(st.toggle(label, key=of))


def _limits(rows: TableRows, axes: list[Objective], view: View) -> tuple[Constraint, ...]:
    """One slider per objective, drawn while somebody looks at them; else the limits stay as they are."""
    said = f"Limits ({len(view.limits)})" if view.limits else "Limits"
    with st.popover(said, icon=":material/tune:", key="tb-limits", on_change="rerun") as box:
        if not box.open:
            return view.limits
        terms.caption(
            "Rows beyond a limit are taken out; a row without a value of a limited objective meets no limit."
        )
        asked = {limit.objective: limit for limit in view.limits}
        found = [limit for goal in axes if (limit := _slider(rows, goal, asked.get(goal.name)))]
    return tuple(sorted(found, key=lambda limit: limit.objective))


def _slider(rows: TableRows, goal: Objective, asked: Constraint | None) -> Constraint | None:
    places = stops(rows, goal)
    if len(places) < 2:
        return None
    loose = places[0] if goal.maximize else places[-1]
    key = f"tb-limit-{goal.name}"
    wanted = loose
    if asked is not None:
        bound = asked.lower if asked.lower is not None else asked.upper
        wanted = loose if bound is None else min(places, key=lambda place: abs(place - bound))
    state.keep(key, places, wanted)
    value = st.select_slider(
        f"{choosers.shown(goal)}, {'at least' if goal.maximize else 'at most'}",
        places,
        key=key,
        format_func=lambda place: "any" if place == loose else format_value(place, goal),
    )
    if value == loose:
        return None
    return Constraint(goal.name, lower=value) if goal.maximize else Constraint(goal.name, upper=value)
