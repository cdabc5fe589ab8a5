"""Search: find good subnets without measuring them all, and see how quickly it went."""

from __future__ import annotations

import streamlit as st

from core.text import display_name
from pages.ui import choosers, resources
from pages.ui.front import state
from pages.ui.front.table import csv_bytes
from pages.ui.progress import active, all_runs, job_row, watch
from pages.ui.search import PAGE
from pages.ui.search import panels as search_views
from pages.ui.setup import note, setup, unseen_heading

setup(PAGE)

entry = choosers.choose_supernet(resources.entries(), state.current_view().supernet)
store = resources.store_or_none()
if store is None:
    st.stop()


def searches() -> list:
    """Searches of this supernet, newest first."""
    return [run for run in all_runs(["search_front"]) if run.params.get("supernet") == entry.supernet_id]


with st.container(key="hero"):
    right, left = st.columns([1, 2.2], gap="medium")
with right:
    unseen_heading("A new search")
    started = search_views.search_form(entry)
    if started:
        st.session_state["pick-search"] = started

runs = searches()
by_id = {run.run_id: run for run in runs}
kept = [run_id for run_id in st.session_state.get("pick-search", []) if run_id in by_id]
st.session_state["pick-search"] = kept or [run.run_id for run in runs[:1]]
with left:
    unseen_heading("What was found")
    if not runs:
        st.info(
            "No search of this supernet yet. Press **Start the search**: with the complete table it takes about a second.",
            icon=":material/travel_explore:",
        )
        st.stop()
    chosen = st.multiselect(
        "Searches shown",
        list(by_id),
        format_func=lambda i: display_name(by_id[i].title),
        key="pick-search",
        help="The first one is drawn above; all of them race below.",
    )

    def show() -> None:
        """Progress and figures of the chosen searches as they are now."""
        now = [run for run in searches() if run.run_id in chosen]
        with st.container(key="job-progress"):
            for run in now:
                job_row(run)
        if now:
            search_views.growing_front(entry, now[0])
            search_views.hypervolume_race(entry, now)

    watch(show, lambda: active(run for run in searches() if run.run_id in chosen))
    if chosen:
        with st.container(horizontal=True):
            st.page_link(
                "pages/front.py",
                label="Open on the Front page",
                icon=":material/arrow_forward:",
                query_params={"supernet": entry.supernet_id, "run": chosen[0]},
            )
            found = search_views.measured(entry, by_id[chosen[0]])
            if found is not None:
                st.download_button(
                    "Evaluations as CSV",
                    lambda f=found: csv_bytes(f),
                    "evaluations.csv",
                    "text/csv",
                    key="search-csv",
                    on_click="ignore",
                    icon=":material/table:",
                )
    note(
        "Hypervolume: how much of the objectives' space the front covers, against a fixed reference point. Larger is better; the dashed line is the exact front, which no search can pass."
    )
