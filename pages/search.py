"""Search: find good subnets without measuring them all, and see how quickly it went."""

from __future__ import annotations

import streamlit as st

from core.records import Run
from core.text import display_name
from pages.ui import choosers, resources
from pages.ui.front import state
from pages.ui.progress import active, all_runs, job_row, watch
from pages.ui.search import PAGE
from pages.ui.search import panels as search_views
from pages.ui.setup import note, setup, unseen_heading

setup(PAGE)

view = state.current_view()
entry = choosers.choose_supernet(resources.entries(), view.supernet)
store = resources.store_or_none()
if store is None:
    st.stop()


def searches() -> list[Run]:
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
st.session_state["pick-search"] = kept or ([view.run] if view.run in by_id else list(by_id)[:1])
with left:
    unseen_heading("What was found")
    if not runs:
        st.info(
            "No search of this supernet yet. Press **Start the search**; how long it takes is said above the button.",
            icon=":material/travel_explore:",
        )
        st.stop()
    chosen = st.multiselect(
        "Searches shown",
        list(by_id),
        format_func=lambda i: display_name(by_id[i].title),
        key="pick-search",
        help="All of them race below. The first one is the one that is drawn, opened and downloaded.",
    )

    def shown() -> list[Run]:
        """The chosen searches as they are now, in the order chosen: the first is what the page is about."""
        now = {run.run_id: run for run in searches()}
        return [now[run_id] for run_id in chosen if run_id in now]

    def show() -> None:
        """Progress and figures of the chosen searches."""
        now = shown()
        with st.container(key="job-progress"):
            for run in now:
                job_row(run)
        if now:
            search_views.growing_front(entry, now[0])
            search_views.hypervolume_race(entry, now)

    watch(show, lambda: active(shown()))
    if found := shown():
        search_views.take_home(entry, found[0])
    note(
        "Hypervolume: how much of the objectives' space the front covers, against a fixed reference point. Larger is better; the dashed line is the exact front, which no search can pass."
    )
