"""Runs: what is going on, what was done, and what it takes on the disk."""

from __future__ import annotations

import streamlit as st

from core.people import Action
from core.settings import settings
from core.words import count_of, format_bytes
from pages.ui import resources, terms
from pages.ui.people import door
from pages.ui.progress import active, all_runs, job_row, watch
from pages.ui.runs import PAGE, audit_panel, cluster_panel
from pages.ui.runs import panels as run_views
from pages.ui.setup import empty, setup

setup(PAGE)

store = resources.store_or_none()
if store is None:
    st.stop()
resources.jobs()  # runs of a server that died are marked as interrupted before they are shown

if not all_runs():
    empty(
        "Nothing has run yet. Train a supernet of your own, or search one that is here.",
        page="pages/supernets.py",
        label="Train a supernet",
    )


def show_active() -> None:
    """The queue as it is now."""
    with st.container(key="job-progress"):
        running = [run for run in all_runs() if not run.state.is_final]
        for run in reversed(running):
            job_row(run)
        if not running:
            st.caption("No job is running or waiting.")


watch(show_active, lambda: active(all_runs()))
run_views.after_a_restart()

finished = [run for run in all_runs() if run.state.is_final]
if finished:
    with st.container(key="hero"):
        left, right = st.columns([2, 1], gap="medium")
    with left:
        chosen = run_views.runs_table(finished)
    with right, st.container(border=True):
        if chosen is None:
            terms.caption("Select a run to see its settings, log and files.")
        else:
            run_views.run_details(store, chosen)
            run_views.over_seeds(store, chosen, finished)

run_views.damaged_runs(store)
cluster_panel.draw(store)

st.header("Storage", anchor=False)
parts = store.storage()
where = (
    f"of your {format_bytes(settings().sandbox_bytes)} in this class" if store.sandbox_id else "on the disk"
)
with st.container(horizontal=True, vertical_alignment="center"):
    st.markdown(
        f"**{format_bytes(sum(part.bytes for part in parts))}** {where}, **{count_of(len(all_runs()), 'run')}**"
    )
    check = st.button(
        "Check for damage",
        key="check-store",
        icon=":material/verified_user:",
        **door.lock(Action.CHECK, help="Reads every file and row again and compares it with its hash."),
    )
run_views.storage(parts)
if check:
    run_views.show_damage(store.check())
audit_panel.draw(store)
