"""The Supernets page's view over a session: the gallery, or the page of one supernet."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.library.comparisons import KIND
from pages.ui import resources
from pages.ui.address import PageAddress, missing
from pages.ui.progress import all_runs
from pages.ui.supernets.view import View

WIDGETS = ("gallery-", "details-")
TABS, COMPARE, PICK = "supernets-tabs", "Compare trainings", "pick-comparison"
"""Key of the tabs, the one that compares, and the key of which comparison it shows."""


def _keep(view: View) -> tuple[View, list[str]]:
    titles = {entry.supernet_id: entry.title for entry in resources.entries()}
    absent = []
    if view.supernet and view.supernet not in titles:
        absent.append(missing("supernet", view.supernet, list(titles.values())))
        view = replace(view, supernet="")
    there = {run.run_id: run.title for run in all_runs([KIND])} if view.comparison else {}
    if view.comparison and view.comparison not in there:
        absent.append(missing("comparison of trainings", view.comparison, list(there.values())))
        view = replace(view, comparison="")
    return view, absent


def _arrive(view: View) -> None:
    if view.comparison:
        st.session_state[TABS], st.session_state[PICK] = COMPARE, view.comparison


_ADDRESS = PageAddress(View, key="supernets-view", widgets=WIDGETS, on_arrival=_arrive, keep=_keep)


def current_view() -> View:
    """The view from the address if a link brought the visitor here, else the session's own."""
    return _ADDRESS.current()


def show(supernet_id: str) -> None:
    """Open the page of a supernet, or the gallery as it was for ""; a step for Back."""
    _ADDRESS.start_over(replace(_ADDRESS.kept(), supernet=supernet_id))


def publish(view: View) -> dict[str, str]:
    """Keep the view and write it into the address; returns the link's parameters."""
    return _ADDRESS.publish(view)
