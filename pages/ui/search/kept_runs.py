"""Runs of one kind for one supernet: the one that is shown, and how far it is."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from core.library.supernets import SupernetEntry
from core.records import Run
from core.text import display_name
from pages.ui import resources, state
from pages.ui.progress import active, all_runs, job_row, watch


def of(kind: str, entry: SupernetEntry) -> list[Run]:
    """Runs of this kind and supernet, newest first."""
    return [run for run in all_runs([kind]) if run.params.get("supernet") == entry.supernet_id]


def choose(runs: list[Run], key: str) -> str:
    """The id of the run to show: the newest unless a person chooses another."""
    by_id = {run.run_id: run for run in runs}
    newest = next(iter(by_id))
    if len(runs) == 1:
        return newest
    state.keep(key, by_id, newest)
    return str(
        st.selectbox(
            "Result",
            list(by_id),
            key=key,
            format_func=lambda i: f"{display_name(by_id[i].title)} · {by_id[i].state.value}",
        )
    )


def followed(run_id: str, draw: Callable[[str], None]) -> None:
    """Progress while a run is at work, and what it has found so far."""

    def now() -> Run:
        return resources.jobs().run(run_id)

    def show() -> None:
        run = now()
        # Each has its place: without the row, what was found would be drawn twice until it moved up.
        row, found = st.container(), st.container()
        if not run.state.is_final or run.state.is_resumable:
            with row:
                job_row(run)
        with found:
            draw(run_id)

    watch(show, lambda: active([now()]))
