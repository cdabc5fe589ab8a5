"""Which table the Front page shows, and the line that says where its numbers come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.errors import CoreError
from core.library import supernets
from core.library.coverage import Coverage
from core.library.evaluations import standing
from core.library.fronts import Front
from core.library.latency_kinds import KINDS
from core.library.supernets import SupernetEntry
from core.objectives.base import known_names, objective, objectives
from core.plots.style import usually_obtained
from core.records import Objective, RunState
from core.text import for_figure, for_markdown
from core.views.memory import MEMORY, USUAL, Setting, with_memory
from pages.ui import resources

if TYPE_CHECKING:
    import pandas as pd


def table_of(entry: SupernetEntry, run_id: str) -> tuple[str, str, pd.DataFrame | None]:
    """`read_table`; a table that cannot be read is said and None."""
    try:
        return read_table(entry, run_id)
    except CoreError as error:
        st.warning(for_markdown(error, 600))
        return "", entry.revision, None


def read_table(entry: SupernetEntry, run_id: str) -> tuple[str, str, pd.DataFrame | None]:
    """The table to show: a run's evaluations where one is asked for, else the complete table; where there is none,
    everything that searches and samples measured.

    Returns:
        The run's id ("" for other tables), a revision that changes with the table, the table.

    Raises:
        CoreError: the complete table is damaged.
    """
    if run_id and run_id in searches(entry):
        count = resources.store().count_measurements(run_id)
        revision, table = f"{run_id}-{count}", resources.search_table(run_id, count, entry)
    elif entry.read_table is None:
        from core.library.gathered import everything  # most visits need none of it

        run_id, (revision, table) = "", everything(resources.store_or_none(), entry)
    else:
        run_id, revision, table = "", entry.revision, supernets.table_with_counts(entry)
    if table is None or table.empty:
        return run_id, revision, table
    table = with_memory(table, USUAL)
    store = resources.store_or_none()
    if store is None or not any(store.list_runs(kind=kind, state=RunState.DONE) for kind in KINDS):
        return run_id, revision, table
    from core.library.latency import with_latencies  # most visits need none of it

    return run_id, *with_latencies(store, entry, revision, table)


def searches(entry: SupernetEntry) -> dict[str, str]:
    """Searches and samples of this supernet, newest first: id -> title."""
    from core.library.gathered import measuring_runs

    runs = measuring_runs(resources.store_or_none(), entry.supernet_id)
    return {run.run_id: run.title for run in runs}


def coverage(entry: SupernetEntry, table: pd.DataFrame) -> Coverage:
    """How much of the space a table holds."""
    return Coverage(len(table), entry.space.size)


def measured_objectives(table: pd.DataFrame) -> list[Objective]:
    """Objectives that the table has values for, the usual ones first."""
    return [objective(n) for n in known_names(table.columns) if table[n].notna().any()]


def caption(entry: SupernetEntry, front: Front, setting: Setting = USUAL) -> str:
    """Supernet, data, how measured, seed; goes below the chart and into its exported picture.

    Args:
        entry, front: of the page.
        setting: what memory is counted at, where it is an axis.
    """
    data_name = entry.card.data.name if entry.card.data else ""
    seed = entry.card.seed
    covered = Coverage(front.n_total, entry.space.size)
    what = [for_figure(entry.title), f"data {for_figure(data_name)}" if data_name else ""]
    how = [covered.short, f"seed {for_figure(seed)}" if seed is not None else ""]
    # What is said of a part of a space is too long for one line in a narrow window.
    lines = [what + how] if covered.complete else [what, how]
    # What is left out may have been predicted, or never measured at all.
    hollow = {name for name in front.names if front.left_out and not standing(front.table, (name,)).all()}
    told = "<br>".join(
        f"{o.label}: {usually_obtained(o)}{' (hollow dots: predicted)' * (o.name in hollow)}"
        f"{f', {setting.sentence()}' * (o.name == MEMORY)}"
        for o in objectives(front.names)
    )
    heads = ["  ·  ".join(part for part in line if part) for line in lines]
    return "<br>".join([*heads, told])
