"""Beyond this machine: which servers and nodes there are, what runs where, and how to let one finish."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import CoreError
from core.people import Action
from core.settings import settings
from core.text import for_markdown
from core.views import cluster as view
from pages.ui import resources
from pages.ui.people import door
from pages.ui.progress import all_runs
from pages.ui.tables import html_table

if TYPE_CHECKING:
    from core.executors.nodes_in_background import NodesInBackground
    from core.store import RunStore
    from core.store.servers import Server

_LOOK_SECONDS = 3.0


def draw(store: RunStore) -> None:
    """The cluster where there is one, else one line on how to get there; nothing in a student's sandbox."""
    if store.sandbox_id:
        return
    try:
        place, servers = _place(store), store.servers.living()
    except CoreError as error:
        st.warning(for_markdown(error, 600))
        return
    if not view.is_worth_showing(place, servers):
        st.caption(view.QUIET)
        return
    st.header("Cluster", anchor=False)

    @st.fragment(run_every=_LOOK_SECONDS)
    def part() -> None:
        with st.container(key="cluster"):
            _draw(store, place)

    part()


def _draw(store: RunStore, place: view.Place) -> None:
    try:
        servers, work = store.servers.living(), store.servers.work()
    except CoreError as error:
        st.warning(for_markdown(error, 600))
        return
    runs = [run for run in all_runs() if not run.state.is_final]
    me = resources.manager().owner.owner_id
    st.markdown(view.headline(place, servers, runs))
    if wrong := view.what_is_wrong(servers, runs):
        st.warning(wrong, icon=":material/block:")
    html_table(view.server_rows(servers, work, runs, me=me, now=time.time()), "Servers of this database")
    st.caption(
        "A run waits in one queue and is taken by whichever server has room; *Cancel* above reaches it wherever it is. When a server "
        "ends, its runs go on elsewhere. *Workers*: jobs of each sort (training, measuring, light) that it runs at a time. What was "
        "measured counts for the server that had a run last."
    )
    with st.container(horizontal=True):
        for server, name in zip(servers, view.names(servers, me), strict=True):
            _drain(store, server, name)
    if place.ray_address:
        _nodes(place.ray_address)


def _drain(store: RunStore, server: Server, name: str) -> None:
    """Let a server finish, or take work again."""
    again = server.draining
    st.button(
        f"{'Take work again' if again else 'Take no new work'}: {name}",
        key=f"cluster-drain-{server.owner_id}",
        on_click=_set_draining,
        args=(store, server.owner_id, name, not again),
        icon=":material/play_arrow:" if again else ":material/block:",
        **door.lock(
            Action.OTHER,
            help="It takes what waits in the queue again."
            if again
            else "What runs there finishes and other servers take what waits: before an update, for example.",
        ),
    )


def _set_draining(store: RunStore, owner_id: str, name: str, draining: bool) -> None:
    try:
        store.servers.drain(owner_id, draining)
    except CoreError as error:
        st.toast(for_markdown(error, 600), icon=":material/error:")
        return
    st.toast(
        f"{for_markdown(name)} takes no new work; what runs there finishes."
        if draining
        else f"{for_markdown(name)} takes work again.",
        icon=":material/check:",
    )


def _nodes(address: str) -> None:
    told = _asked().look(address)
    if told.said:
        st.warning(for_markdown(told.said, 600), icon=":material/error:")
        return
    st.caption(view.nodes_said(told))
    html_table(view.node_rows(told.nodes or ()), "Nodes of the Ray cluster")


@st.cache_resource(show_spinner=False)
def _asked() -> NodesInBackground:
    from core.executors.nodes_in_background import NodesInBackground

    return NodesInBackground()


def _place(store: RunStore) -> view.Place:
    said = settings()
    return view.Place(_device(said.device), said.ray_address, store.files_url)


def _device(wanted: str) -> str:
    """What computes, "" for the processor; a page that has not loaded torch does not load it to say so."""
    if wanted == "cpu" or (wanted == "auto" and "torch" not in sys.modules):
        return ""
    from core.device import chosen_device

    try:
        found = chosen_device()
    except CoreError:
        return f"{wanted}, which is not there"
    return "" if found.kind == "cpu" else f"{found.label} ({found.precision})"
