"""Search: find good subnets without measuring them all, and see how quickly it went."""

from __future__ import annotations

import streamlit as st

from core.records import Run
from pages.ui import choosers, resources
from pages.ui.front import state
from pages.ui.progress import active, all_runs, watch
from pages.ui.search import PAGE, race_panel
from pages.ui.search import panels as search_views
from pages.ui.setup import setup, unseen_heading

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

runs = searches()
with left:
    unseen_heading("What was found")
    if not runs:
        st.info(
            "No search of this supernet yet. Press **Start the search**; how long it takes is said above the button.",
            icon=":material/travel_explore:",
        )
        st.stop()
    chosen = race_panel.choose(runs, started, view.run)
    ids = [run.run_id for group in chosen.groups for run in (*group.runs, *group.again)]

    def shown() -> list[Run]:
        """The chosen searches as they are now."""
        return [run for run in searches() if run.run_id in ids]

    def show() -> None:
        """Progress and figures of the chosen searches."""
        now = shown()
        with st.container(key="job-progress"):
            race_panel.progress(now)
        if chosen.drawn is not None:
            search_views.growing_front(entry, next(r for r in now if r.run_id == chosen.drawn.run_id))
            race_panel.hypervolume_race(entry, race_panel.as_they_are(chosen, now))

    watch(show, lambda: active(shown()))
    if chosen.drawn is not None:
        search_views.take_home(entry, chosen.drawn)
