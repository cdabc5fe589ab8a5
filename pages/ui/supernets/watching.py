"""What a training shows while it runs and after: curves, losses by size, the film; and what can be done with what it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.errors import CoreError
from core.jobs import keeping
from core.library.kept_early import asked_to_stop
from core.objectives.base import objective
from core.people import Action
from core.plots import training_watch as plots
from core.plots.finished import finished
from core.records import Run, RunState
from core.settings import settings
from core.text import for_markdown
from core.training.film import FILM_FILE, read_film
from core.views.training_watch import Strip, Watched, numbers, strip, watched
from pages.ui import resources
from pages.ui.people import door
from pages.ui.supernets import state as page_state

if TYPE_CHECKING:
    import plotly.graph_objects as go

_ACCURACY, _LOSSES, _FILM = "Accuracy", "Loss by size", "Film of the front"
LONGER = "Longer, as before"
"""How a supernet is trained further: with the settings it was trained with."""
_CHART = {"displaylogo": False}


def draw(run: Run) -> None:
    """What a training has shown so far; nothing is computed anew until its next epoch."""
    rows = resources.store().ledger(run.run_id).metrics()
    if not rows:
        if run.state is RunState.RUNNING:
            st.caption("The first epoch is under way.")
        return
    found = watched(rows)
    allowed = settings().worker_memory
    st.caption(" · ".join(numbers(found, running=run.state is RunState.RUNNING, allowed=allowed)))
    frames = _film_sha256(run.run_id)
    offered = [_ACCURACY, *[_LOSSES] * bool(len(found.sizes.epochs)), *[_FILM] * bool(frames)]
    key = f"watch-{run.run_id}"
    if st.session_state.get(key) not in offered:
        st.session_state.pop(key, None)
    shown = st.segmented_control(
        "What is shown", offered, default=_ACCURACY, required=True, key=key, label_visibility="collapsed"
    )
    if shown == _FILM:
        _film(run.run_id, frames)
    elif shown == _LOSSES:
        _losses(run.run_id, found)
    else:
        _accuracy(run.run_id, found)


def _accuracy(run_id: str, found: Watched) -> None:
    st.plotly_chart(
        _accuracy_figure(_edition(run_id, found), found),
        key=f"training-curves-{run_id}",
        width="stretch",
        config=_CHART,
        alt="Validation accuracy of the smallest, random and largest subnets by epoch, and the learning rate.",
    )
    st.caption(
        "Measured on validation samples after every epoch. The random subnets are a fixed draw, the same after each; the band goes "
        "from the least to the most accurate of them."
    )


def _losses(run_id: str, found: Watched) -> None:
    st.plotly_chart(
        _losses_figure(_edition(run_id, found), found),
        key=f"training-losses-{run_id}",
        width="stretch",
        config=_CHART,
        alt="Mean loss of the drawn subnets by epoch, a line for each class of sizes.",
    )
    st.caption(
        "What the training itself minimized, by the size of the subnet. Every class holds an equal part of the space, by MACs, so a "
        "strategy that draws all alike fills them alike; a point tells how many draws it is the mean of. A subnet that learns from "
        "a teacher has another loss than one that learns from labels: only classes that learn from the same compare."
    )


def _film(run_id: str, sha256: str) -> None:
    try:
        film = _strip(resources.place(), run_id, sha256)
    except CoreError as error:
        st.warning(for_markdown(error, 300), icon=":material/warning:")
        return
    with st.container(key="film"):
        st.plotly_chart(
            _film_figure(sha256, film),
            key=f"training-film-{run_id}",
            width="stretch",
            config=_CHART,
            alt="Scatter chart: accuracy against MACs of the same subnets after some epochs, and their front.",
        )
    st.caption(film.sentence)


def _film_sha256(run_id: str) -> str:
    """Of the film so far; "" while there is none."""
    kept = resources.store().ledger(run_id).artifacts()
    return next((each.sha256 for each in kept if each.name == FILM_FILE), "")


def _edition(run_id: str, found: Watched) -> str:
    return f"{run_id}-{len(found.epochs)}-{found.seconds}"


@st.cache_resource(show_spinner=False, max_entries=32)
def _accuracy_figure(edition: str, _found: Watched) -> go.Figure:
    return finished(plots.accuracy_figure(_found))


@st.cache_resource(show_spinner=False, max_entries=32)
def _losses_figure(edition: str, _found: Watched) -> go.Figure:
    return finished(plots.losses_figure(_found, objective("macs")))


@st.cache_resource(show_spinner=False, max_entries=16)
def _strip(place: str, run_id: str, sha256: str) -> Strip:
    return strip(read_film(resources.store().ledger(run_id).artifact(FILM_FILE)))


@st.cache_resource(show_spinner=False, max_entries=32)
def _film_figure(sha256: str, _film: Strip) -> go.Figure:
    return finished(plots.film_figure(_film, objective("macs"), objective("accuracy")))


# --- what can be done with it --------------------------------------------------------------------


def actions(run: Run) -> None:
    """Stop a training early, keep what a stopped one has, or go on from one that has ended."""
    if run.state is RunState.DONE:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.page_link(
                "pages/front.py",
                label="Its front",
                icon=":material/show_chart:",
                query_params={"supernet": run.run_id},
            )
            if st.button(
                "Train it further",
                key=f"further-{run.run_id}",
                icon=":material/tune:",
                help="Another training goes on from its weights: longer with its own settings, or forked with other ones.",
            ):
                st.session_state.update({f"tune-{run.run_id}": True, f"tune-how-{run.run_id}": LONGER})
                page_state.show(run.run_id)
                st.rerun()
        return
    store = resources.store()
    if keeping.why_not(store, run):
        return
    if not run.state.is_final and asked_to_stop(store.ledger(run.run_id)):
        st.caption("It ends with its last whole epoch, and is kept.")
        return
    st.button(
        "Keep what there is" if run.state.is_resumable else "Stop here and keep it",
        key=f"keep-{run.run_id}",
        on_click=_keep,
        args=(run.run_id,),
        icon=":material/save:",
        **door.lock(
            Action.CHANGE,
            own=door.is_own(run.run_id),
            help="The supernet as it was after the last whole epoch becomes one like any other; its card says where it was "
            "stopped.",
        ),
    )


def _keep(run_id: str) -> None:
    try:
        jobs = resources.jobs()
        keeping.keep(resources.store(), jobs.run(run_id), jobs.resume)
    except CoreError as error:
        st.toast(for_markdown(error, 600), icon=":material/error:")
