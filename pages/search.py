"""Search: find good subnets without measuring them all, race algorithms, and see who found more."""

from __future__ import annotations

import streamlit as st

from core.library.samples import KIND as SAMPLE
from core.records import Run
from pages.ui import choosers, resources
from pages.ui.front import state
from pages.ui.progress import active, all_runs, watch
from pages.ui.search import PAGE, closer, decide, guessing, panels, race_panel, race_progress
from pages.ui.search.setup_form import KIND, search_form
from pages.ui.setup import setup, unseen_heading

setup(PAGE)

view = state.current_view()
entry = choosers.choose_supernet(resources.entries(), view.supernet)
store = resources.store_or_none()
if store is None:
    st.stop()


def searches() -> list[Run]:
    """Searches of this supernet, newest first."""
    return [run for run in all_runs([KIND]) if run.params.get("supernet") == entry.supernet_id]


def samples() -> list[Run]:
    """What was measured of this supernet without a search, newest first."""
    return [run for run in all_runs([SAMPLE]) if run.params.get("supernet") == entry.supernet_id]


with st.container(key="hero"):
    right, left = st.columns([1, 2.2], gap="medium")
with right:
    unseen_heading("A new search")
    started = search_form(entry, [*searches(), *samples()])


def show_found(runs: list[Run]) -> None:
    """The searches there are: progress and figures of the chosen ones, and what to do with them."""
    chosen = race_panel.choose(runs, started, view.run)
    ids = [run.run_id for group in chosen.groups for run in (*group.runs, *group.again)]

    def shown() -> list[Run]:
        """The chosen searches as they are now."""
        return [run for run in searches() if run.run_id in ids]

    latest: list[race_panel.Raced | None] = [None]

    def show() -> None:
        """Progress and figures of the chosen searches."""
        now = shown()
        current = race_panel.as_they_are(chosen, now)
        with st.container(key="job-progress"):
            race_progress.draw(current.settings)
        if chosen.drawn is None:
            return
        raced = race_panel.raced(entry, current)
        latest[:] = [raced]
        if raced is not None:
            decide.headline(raced)
        panels.growing_front(entry, next(r for r in now if r.run_id == chosen.drawn.run_id))
        if raced is not None:
            race_panel.hypervolume_race(entry, raced)
            decide.in_numbers(entry, current, raced)

    watch(show, lambda: active(shown()))
    if chosen.drawn is not None:
        panels.take_home(entry, chosen.drawn)
        closer.draw(closer.Scene(entry, chosen, latest[0]))


runs = searches()
with left:
    unseen_heading("What was found")
    if runs:
        show_found(runs)
    else:
        st.info(
            "No search of this supernet yet. Press **Start the search**, or **Start the race** to see which algorithm "
            "finds more; how long it takes is said above the buttons.",
            icon=":material/travel_explore:",
        )
guessing.draw(entry, runs)
