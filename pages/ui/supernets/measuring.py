"""Measuring subnets of a supernet: all of them, a sample, the neighbors of one. Started here, watched where it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from core.library.supernets import SupernetEntry
from core.objectives.base import quick_names
from core.records import Run
from core.text import display_name
from pages.ui.progress import all_runs, submit

WHOLE, SAMPLE, SEARCH = "evaluate_table", "measure_sample", "search_front"
USUAL_SAMPLE = 300


def evaluate(entry: SupernetEntry) -> None:
    """Start measuring every subnet of a supernet."""
    if submit(
        WHOLE,
        {"supernet": entry.supernet_id},
        title=f"All subnets of {display_name(entry.title)}",
        seed=0,
    ):
        st.toast("The evaluation has started; the Runs page shows it.", icon=":material/calculate:")


def sample_request(entry: SupernetEntry, n: int) -> dict[str, Any]:
    """The next sample of a supernet: each one draws other subnets."""
    earlier = [run for run in runs(entry, [SAMPLE]) if not run.params.get("around")]
    return {
        "supernet": entry.supernet_id,
        "n": n,
        "seed": len(earlier),
        "objectives": quick_names(entry.task),
    }


def sample(entry: SupernetEntry, n: int) -> None:
    """Start measuring a sample."""
    request = sample_request(entry, n)
    title = f"A sample of {n:,} subnets of {display_name(entry.title)}"
    if submit(SAMPLE, request, title=title, seed=request["seed"]):
        st.toast("The sample has started.", icon=":material/insights:")


def around(entry: SupernetEntry, arch_ids: Sequence[str], what: str) -> None:
    """Start measuring what differs in one choice from given subnets; `what` they are goes into the title."""
    # What a search may begin with must have been measured in its objectives, so they are named.
    request = {"supernet": entry.supernet_id, "around": list(arch_ids), "objectives": quick_names(entry.task)}
    if submit(SAMPLE, request, title=f"Neighbors of {what} of {display_name(entry.title)}", seed=0):
        st.toast("Measuring has started.", icon=":material/insights:")


def runs(entry: SupernetEntry, kinds: Sequence[str] = (WHOLE, SAMPLE, SEARCH)) -> list[Run]:
    """Runs that measure subnets of a supernet, newest first."""
    return [run for run in all_runs(kinds) if run.params.get("supernet") == entry.supernet_id]
