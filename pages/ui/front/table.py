"""The chart's twins for the keyboard and for screen readers: a chooser and a table, both select."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from core.library.fronts import Front
from core.plots.style import scale
from core.records import Objective
from core.views.chance import METHOD
from core.words import column_label, table_format
from pages.ui.front import state
from pages.ui.front.chance import FrontSure
from pages.ui.front.what_if import Shown, describe
from pages.ui.tables import height_of

if TYPE_CHECKING:
    import pandas as pd

_TABLE = "front-table"
_CHOOSER = "pick-subnet"


def choose_subnet(shown: Shown, front: Front) -> str:
    """The selected subnet's id, chosen among the front's members (and what was clicked elsewhere)."""
    current = state.selected()
    ids = front.members["arch_id"].tolist()
    options = ids if current in ids or not current else [current, *ids]
    if not options:
        return current
    st.session_state[_CHOOSER] = current or options[0]
    return str(
        st.selectbox(
            "Subnet",
            options,
            format_func=lambda i: describe(shown, i, front.names),
            key=_CHOOSER,
            on_change=_chosen,
            help="The front's subnets in order. Clicking a point on the chart selects it here too.",
        )
    )


def _chosen() -> None:
    state.selection.chosen(st.session_state[_CHOOSER])


def front_table(front: Front, goals: Sequence[Objective], sure: FrontSure) -> None:
    """The front as a table, with the intervals of accuracies; selecting a row selects the subnet."""
    shown = front.members[["arch_id", *(g.name for g in goals)]]
    intervals = sure.columns(shown)
    names = ["arch_id", *(column for g in goals for column in (g.name, *intervals.get(g.name, ())))]
    told = {column: cells for found in intervals.values() for column, cells in found.items()}
    st.dataframe(
        _scaled(shown, goals).assign(**told)[names],
        key=_TABLE,
        hide_index=True,
        on_select=lambda: _row_chosen(shown["arch_id"].tolist()),
        selection_mode="single-row",
        column_config={"arch_id": st.column_config.TextColumn("subnet")}
        | {g.name: _column(g) for g in goals}
        | {name: st.column_config.TextColumn(name, help=METHOD) for name in told},
        height=height_of(len(shown), most=8),
        width="stretch",
        alt="Table of the subnets on the front",
    )


def _row_chosen(ids: list[str]) -> None:
    rows = st.session_state[_TABLE]["selection"]["rows"]
    if rows and rows[0] < len(ids):
        state.select(ids[rows[0]])


def _column(goal: Objective) -> object:
    form = table_format(goal)
    return st.column_config.NumberColumn(column_label(goal), format=form, help=goal.summary)


def _scaled(table: pd.DataFrame, goals: Sequence[Objective]) -> pd.DataFrame:
    return table.assign(**{g.name: table[g.name] * scale(g).factor for g in goals})
