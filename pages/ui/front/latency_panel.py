"""Latency of the whole space on this machine: what timing it will do, how good it is, and whether it still holds."""

from __future__ import annotations

import streamlit as st

from core.jobs.forecast import busy
from core.library.latency_kinds import CHECKS, TIMED_HERE
from core.library.supernets import SupernetEntry
from core.people import Action
from core.text import for_markdown
from core.views.latency import KnownLatency, Offer, known_latencies, offer
from core.words import count_of, format_about, format_count
from core.workflows.measure_latency import Request
from pages.ui import checked, resources
from pages.ui.front import latency_state
from pages.ui.people import door
from pages.ui.progress import active
from pages.ui.tables import html_table

_MOST_SHOWN = 4
_BUSY = 1.5


def draw(entry: SupernetEntry) -> None:
    """What the opened panel holds."""
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
            on_click=latency_state.show_and_leave,
            args=(each.name,),
        )
        if each.here:
            params: dict[str, object] = {"supernet": entry.supernet_id, "run": each.run_id}
            st.button(
                "Check for drift",
                key=f"latency-check-{each.run_id}",
                icon=":material/history:",
                on_click=latency_state.begin,
                args=(CHECKS, params, f"Drift of {each.device}"),
                **door.lock(
                    Action.START,
                    help="Times the anchors again: a few subnets that say whether the machine is still as fast as it was.",
                ),
            )
    st.divider()


def _explain(entry: SupernetEntry, what: Offer) -> None:
    st.markdown(
        f"**Time the subnets of {for_markdown(entry.title)} on this machine** ({for_markdown(what.device.name)}), "
        "so that latency becomes an axis."
    )
    st.caption(
        f"About {format_count(what.sample)} of {count_of(entry.space.size, 'subnet')} are timed, interleaved, until two "
        "halves of the rounds agree; a predictor over stages is fitted to them and cross-validated; then everything that "
        "could be on the front of latency and accuracy is timed as well, so that the front consists of timed subnets. "
        f"Takes {format_about(what.seconds * busy())} in the background{' on a machine as busy as now' * (busy() > _BUSY)}; "
        "the page stays usable."
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
        disabled=active(latency_state.runs(entry)),
        on_click=latency_state.begin,
        args=(TIMED_HERE, params, f"Latency of {entry.title}"),
    )
