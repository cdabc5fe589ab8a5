"""Latency of the whole space on this machine: one button, then an axis; how good it is, and whether it still holds."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.library.latency import CHECKS, TIMED_HERE
from core.library.supernets import SupernetEntry
from core.records import Objective, Run, RunState
from core.text import for_markdown
from core.views.latency import KnownLatency, Offer, known_latencies, offer
from core.words import format_about, format_count
from core.workflows.measure_latency import Request
from pages.ui import checked, resources
from pages.ui.progress import active, job_row, submit, watch
from pages.ui.tables import html_table

_OPEN, _STARTED, _ANEW = "latency", "latency-started", "latency-anew"
_MOST_SHOWN = 4


def button(entry: SupernetEntry, goals: Sequence[Objective], x: Objective, y: Objective) -> None:
    """In the bar above the chart: what is known of latency and how to time it; one click to the chart of it.

    Args:
        entry: the supernet.
        goals: objectives of the table.
        x, y: objectives of the axes.
    """
    known = [goal for goal in goals if goal.name.startswith("latency_ms.")]
    if known and not any(goal in (x, y) for goal in known):
        st.button(
            "Against latency",
            key="latency-show",
            icon=":material/timer:",
            on_click=_show,
            args=(known[0].name,),
            help=f"Draw {y.label.lower()} against {known[0].label[0].lower()}{known[0].label[1:]}.",
        )
    _popover(entry)


@st.fragment
def _popover(entry: SupernetEntry) -> None:
    if st.session_state.pop(_ANEW, False):
        st.rerun()
    with st.popover("Latency", icon=":material/speed:", key=_OPEN, on_change="rerun") as box:
        if box.open:
            _panel(entry)


def _panel(entry: SupernetEntry) -> None:
    known = known_latencies(resources.store_or_none(), entry)
    for each in known[:_MOST_SHOWN]:
        _told(entry, each)
    if not any(each.here for each in known):
        _explain(entry, offer(entry))
    _start(entry, any(each.here for each in known))


def _told(entry: SupernetEntry, each: KnownLatency) -> None:
    st.markdown(f"**Latency on {for_markdown(each.device)}**{' (this machine)' if each.here else ''}")
    if each.stale:
        st.warning(for_markdown(each.stale, 300), icon=":material/history:")
    html_table(
        [{"": label, " ": text} for label, text in each.facts.items()], "How this latency was obtained"
    )
    st.caption(each.front)
    with st.container(horizontal=True):
        st.button(
            "Show it",
            key=f"latency-show-{each.name}",
            icon=":material/timer:",
            on_click=_show_and_leave,
            args=(each.name,),
        )
        if each.here:
            params: dict[str, object] = {"supernet": entry.supernet_id, "run": each.run_id}
            st.button(
                "Check for drift",
                key=f"latency-check-{each.run_id}",
                icon=":material/history:",
                on_click=_submit,
                args=(CHECKS, params, f"Drift of {each.device}"),
                help="Times the anchors again: a few subnets that say whether the machine is still as fast as it was.",
            )
    st.divider()


def _explain(entry: SupernetEntry, what: Offer) -> None:
    st.markdown(
        f"**Time the subnets of {for_markdown(entry.title)} on this machine** ({for_markdown(what.device.name)}), "
        "so that latency becomes an axis."
    )
    st.caption(
        f"About {format_count(what.sample)} of {format_count(entry.space.size)} subnets are timed, interleaved, until two "
        "halves of the rounds agree; a predictor over stages is fitted to them and cross-validated; then everything that "
        "could be on the front of latency and accuracy is timed as well, so that the front consists of timed subnets. "
        f"Takes {format_about(what.seconds)} in the background; the page stays usable."
    )


def _start(entry: SupernetEntry, again: bool) -> None:
    with checked.form() as form, st.container(horizontal=True, vertical_alignment="bottom"):
        threads = st.number_input(
            "Threads",
            value=1,
            step=1,
            key="latency-threads",
            width=110,
            help="That one answer may use. Another number of threads is another objective.",
        )
        low, high = checked.bounds(Request.model_fields["threads"])
        threads = checked.within("Threads", int(threads), low, high)
        name = st.text_input(
            "Name of this machine",
            key="latency-name",
            placeholder="its processor",
            width=190,
            help="As it stands on the axis.",
        ).strip()
        if len(name) > 60:
            checked.complain("Name of this machine: at most 60 characters are kept.")
    params: dict[str, object] = {"supernet": entry.supernet_id, "threads": threads, "name": name[:60]}
    form.start(
        "Time it again" if again else "Time this machine",
        key="latency-start",
        type="secondary" if again else "primary",
        icon=":material/timer:",
        disabled=active(_runs(entry)),
        on_click=_submit,
        args=(TIMED_HERE, params, f"Latency of {entry.title}"),
    )


def _show(name: str) -> None:
    # As if the person had chosen it: the chooser's own key.
    st.session_state["axis-x"] = name


def _show_and_leave(name: str) -> None:
    _show(name)
    _leave()


def _submit(kind: str, params: dict[str, object], title: str) -> None:
    run_id = submit(kind, params, title=title, seed=0)
    if run_id is not None:
        st.session_state[_STARTED] = run_id
        _leave()


def _leave() -> None:
    """Close the panel, which would lie upon what was asked for, and draw the whole page anew."""
    st.session_state[_OPEN] = False
    st.session_state[_ANEW] = True


def progress(entry: SupernetEntry) -> None:
    """Below the bar: timings that are going on, or one of this visitor's that stopped; nothing where all is done."""
    if not _shown(entry):
        return

    def draw() -> None:
        with st.container(key="latency-progress"):
            for run in _shown(entry):
                job_row(run)

    watch(draw, lambda: active(_runs(entry)))


def _shown(entry: SupernetEntry) -> list[Run]:
    mine = st.session_state.get(_STARTED)
    return [
        r for r in _runs(entry) if not r.state.is_final or (r.run_id == mine and r.state is not RunState.DONE)
    ]


def _runs(entry: SupernetEntry) -> list[Run]:
    """Timings of this supernet and looks at its anchors, newest first."""
    store = resources.store_or_none()
    if store is None:
        return []
    where = {"supernet": entry.supernet_id}
    return [run for kind in (TIMED_HERE, CHECKS) for run in store.list_runs(kind=kind, where=where)]
