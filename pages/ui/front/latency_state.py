"""What the bar and the panel of latency share: what was started, what runs, how the panel closes."""

from __future__ import annotations

import streamlit as st

from core.library.latency_kinds import CHECKS, TIMED_HERE
from core.library.supernets import SupernetEntry
from core.records import Run
from pages.ui import resources
from pages.ui.progress import submit

OPEN, STARTED, ANEW = "latency", "latency-started", "latency-anew"


def show(name: str) -> None:
    """Draw against a latency, as if the person had chosen it: the chooser's own key."""
    st.session_state["axis-x"] = name


def show_and_leave(name: str) -> None:
    """`show`, from within the panel."""
    show(name)
    _leave()


def begin(kind: str, params: dict[str, object], title: str) -> None:
    """Start a timing from within the panel."""
    run_id = submit(kind, params, title=title, seed=0)
    if run_id is not None:
        st.session_state[STARTED] = run_id
        _leave()


def _leave() -> None:
    """Close the panel, which would lie upon what was asked for, and draw the whole page anew."""
    st.session_state[OPEN] = False
    st.session_state[ANEW] = True


def runs(entry: SupernetEntry) -> list[Run]:
    """Timings of this supernet and looks at its anchors, newest first of each."""
    store = resources.store_or_none()
    if store is None:
        return []
    where = {"supernet": entry.supernet_id}
    return [run for kind in (TIMED_HERE, CHECKS) for run in store.list_runs(kind=kind, where=where)]
