"""The Front page of a space that was not measured whole: what its front is the best of, and how to look further."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.jobs.forecast import of_work
from core.library.coverage import Coverage, can_be_whole
from core.library.fronts import Front
from core.library.supernets import SupernetEntry
from core.people import Action
from core.text import for_markdown
from core.words import count_of, format_count
from pages.ui import checked, resources
from pages.ui.forecast import forecast
from pages.ui.forms import number
from pages.ui.people import door
from pages.ui.progress import active, job_row, watch
from pages.ui.setup import empty
from pages.ui.supernets import measuring

if TYPE_CHECKING:
    from collections.abc import Collection

_GROWN = 1.1
"""Rows there must be for each one drawn before the page is drawn anew while something is measured."""


def unmeasured(entry: SupernetEntry) -> None:
    """What can be done with a supernet of which nothing is measured yet, then its progress."""
    if entry.card.data is None:
        empty(
            f"**{for_markdown(entry.title)}** has {count_of(entry.space.size, 'subnet')}, and its card names no data to measure "
            "them on. Load its file again with images of your own.",
            page="pages/supernets.py",
            label="To the Supernets page",
        )
        return
    whole = can_be_whole(entry.space)
    size = count_of(entry.space.size, "subnet")
    if whole:
        offer = (
            f"Its {size} can be measured one and all, which gives the exact front; a sample is quicker, and a search "
            "looks for good ones."
        )
    else:
        offer = (
            f"With {size} it is too large to measure whole: measure a sample to see what it is like, then let a search "
            "look for good ones."
        )
    empty(
        f"**{for_markdown(entry.title)}** has not been measured yet. {offer}",
        page="pages/search.py",
        label="Search it",
    )
    working = active(measuring.runs(entry))
    every, some = st.columns(2, gap="medium") if whole else (None, st.container())
    if every is not None:
        with every:
            if not working:
                forecast(measuring.WHOLE, {"supernet": entry.supernet_id}, of_work, key="evaluate-forecast")
            st.button(
                "Measure every subnet",
                key="evaluate-all",
                type="primary",
                on_click=measuring.evaluate,
                args=(entry,),
                icon=":material/calculate:",
                **door.lock(Action.START, disabled=working),
            )
    with some:
        _sample_form(entry, primary=not whole, working=working, told=not whole)
    _progress(entry, 0)


def _sample_form(entry: SupernetEntry, *, primary: bool, working: bool, told: bool = True) -> None:
    with checked.form() as form:
        most = min(10_000, entry.space.size)
        n = number(
            "Subnets of the sample",
            (2, most),
            value=min(measuring.USUAL_SAMPLE, most),
            step=100,
            width=230,
            key="sample-size",
            help="The smallest and the largest, and others spread evenly over MACs between them.",
        )
        if told and not working:
            request = measuring.sample_request(entry, int(n))
            forecast(measuring.SAMPLE, request, of_work, key="sample-forecast")
        if form.start(
            "Measure a sample",
            key="sample-start",
            type="primary" if primary else "secondary",
            icon=":material/insights:",
            disabled=working,
        ):
            measuring.sample(entry, int(n))
            st.rerun()


def _progress(entry: SupernetEntry, drawn: int) -> None:
    """What is being measured; the page is drawn anew when it has grown enough, and at the end."""

    def going() -> bool:
        return active(measuring.runs(entry))

    def show() -> None:
        found = measuring.runs(entry)
        with st.container(key="job-progress"):
            for run in [run for run in found if not run.state.is_final] or ([] if drawn else found[:1]):
                job_row(run)
        if going() and _measured(entry) > drawn * _GROWN:
            st.rerun()

    watch(show, going)


def _measured(entry: SupernetEntry) -> int:
    """Measurements in the store of what is under way."""
    store = resources.store()
    return sum(
        store.count_measurements(run.run_id)
        for run in measuring.runs(entry, (measuring.SAMPLE, measuring.SEARCH))
        if not run.params.get("data")
    )


def next_steps(
    entry: SupernetEntry, covered: Coverage, front: Front, known: Collection[str], *, of_run: bool
) -> None:
    """Say what the front is the best of, and offer to look further. Nothing for a whole space.

    Args:
        entry: the supernet.
        covered: how much of its space was measured.
        front: that is shown.
        known: arch_ids of what was measured.
        of_run: whether the page shows one run alone.
    """
    if covered.complete:
        return
    with st.container(key="front-partial"):
        st.markdown(f":material/info: **{covered.sentence}** {_advice(entry)}")
        working = active(measuring.runs(entry))
        with st.container(horizontal=True, vertical_alignment="center"):
            if of_run:
                st.page_link(
                    "pages/front.py",
                    label="See the exact front"
                    if entry.read_table is not None
                    else "See all that was measured",
                    icon=":material/show_chart:",
                    query_params={"supernet": entry.supernet_id},
                )
            if entry.read_table is None:
                _buttons(entry, front, known, working)
        if entry.read_table is None:
            _progress(entry, _measured(entry))


def _advice(entry: SupernetEntry) -> str:
    if entry.read_table is not None:
        return "These are the subnets of one run alone."
    return "Knee, hypervolume and what stands below are of these alone. To look further:"


def _buttons(entry: SupernetEntry, front: Front, known: Collection[str], working: bool) -> None:
    st.page_link(
        "pages/search.py",
        label="Search for better ones",
        icon=":material/travel_explore:",
        query_params={"supernet": entry.supernet_id},
    )
    knee = next(iter(front.knees.values()), "")
    space = entry.space
    near = [a for a in space.neighbors(space.from_id(knee)) if space.arch_id(a) not in known] if knee else []
    if near:
        st.button(
            f"Measure the {format_count(len(near))} neighbors of the knee",
            key="measure-near",
            on_click=measuring.around,
            args=(entry, [knee], "the knee"),
            icon=":material/hub:",
            **door.lock(
                Action.START,
                disabled=working,
                help="Every subnet that differs from the knee in one choice and was not measured yet.",
            ),
        )
    with st.popover("Measure more", icon=":material/insights:", key="measure-more"):
        _sample_form(entry, primary=False, working=working, told=False)
        if can_be_whole(space):
            st.button(
                "Measure every subnet",
                key="evaluate-all",
                on_click=measuring.evaluate,
                args=(entry,),
                icon=":material/calculate:",
                **door.lock(Action.START, disabled=working, help="Gives the exact front."),
            )
