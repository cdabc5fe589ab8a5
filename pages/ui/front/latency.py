"""The place of latency in the bar above the chart: closed, it loads nothing; what is opened is in `latency_panel`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from core.library.fronts import Front
from core.library.supernets import SupernetEntry
from core.records import Objective, Run, RunState
from pages.ui import resources
from pages.ui.front.latency_state import ANEW, OPEN, STARTED, runs, show
from pages.ui.progress import active, job_row, watch

if TYPE_CHECKING:
    import pandas as pd


def button(
    entry: SupernetEntry, table: pd.DataFrame, goals: Sequence[Objective], x: Objective, y: Objective
) -> None:
    """What is known of latency and how to time it; one click to the chart of it.

    Args:
        entry: the supernet.
        table: with the latencies there are, the newest first.
        goals: objectives of the table.
        x, y: objectives of the axes.
    """
    by_name = {goal.name: goal for goal in goals if goal.name.startswith("latency_ms.")}
    known = [by_name[name] for name in table.columns if name in by_name]
    if known and not any(goal in (x, y) for goal in known):
        st.button(
            "Against latency",
            key="latency-show",
            icon=":material/timer:",
            on_click=show,
            args=(known[0].name,),
            help=f"Draw {y.label.lower()} against {known[0].label[0].lower()}{known[0].label[1:]}.",
        )
    _popover(entry)


@st.fragment
def _popover(entry: SupernetEntry) -> None:
    if st.session_state.pop(ANEW, False):
        st.rerun()
    with st.popover("Latency", icon=":material/speed:", key=OPEN, on_change="rerun") as box:
        if box.open:
            from pages.ui.front import latency_panel

            latency_panel.draw(entry)


def progress(entry: SupernetEntry) -> None:
    """Below the bar: timings that are going on, or one of this visitor's that stopped; nothing where all is done."""
    if not _shown(entry):
        return

    def draw() -> None:
        with st.container(key="latency-progress"):
            for run in _shown(entry):
                job_row(run)

    watch(draw, lambda: active(runs(entry)))


def _shown(entry: SupernetEntry) -> list[Run]:
    mine = st.session_state.get(STARTED)
    return [
        r for r in runs(entry) if not r.state.is_final or (r.run_id == mine and r.state is not RunState.DONE)
    ]


def said(front: Front, entry: SupernetEntry) -> Front:
    """The front, with what is known of its subnets whose latency is predicted."""
    if not front.left_out:
        return front
    from core.views.latency import with_note

    return with_note(front, resources.store_or_none(), entry)
