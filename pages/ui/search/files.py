"""What the Search page hands out: the evaluations as CSV with their description, the race as a figure for a paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from core.library.supernets import SupernetEntry
from core.objectives.base import objectives
from core.records import Run
from core.reports.captions import front_caption
from core.text import display_name
from pages.ui import paper_figure, resources

if TYPE_CHECKING:
    from core.papers.base import Layout, PaperFigure


def buttons(entry: SupernetEntry, run: Run) -> None:
    """The file that the command line writes, and what its columns are."""
    store = resources.store()
    if not store.count_measurements(run.run_id):
        return

    def evaluations() -> bytes:
        from core.library.csv_tables import search_csv

        return search_csv(entry, run, store.ledger(run.run_id))

    def about() -> bytes:
        from core.library.csv_tables import about_table

        columns = ["architecture", *run.params["objectives"], "on_front", "source"]
        return about_table(entry, columns, search={**run.params, "seed": run.seed}, run_id=run.run_id)

    name = f"evaluations-{display_name(run.params.get('algorithm', 'search'))}-seed-{run.seed}"
    st.download_button(
        "Evaluations as CSV",
        evaluations,
        f"{name}.csv",
        "text/csv",
        key="search-csv",
        on_click="ignore",
        icon=":material/table:",
        help=f"What {run.title} measured, in its order.",
    )
    st.download_button(
        "About the columns",
        about,
        f"{name}.about.json",
        "application/json",
        key="search-about",
        on_click="ignore",
        icon=":material/info:",
        help="Units, how each column was obtained, algorithm, seed and hashes.",
    )


def race(
    entry: SupernetEntry, names: Sequence[str], curves: Mapping[str, Sequence[float]], ceiling: float | None
) -> None:
    """The hypervolume of the searches as a figure for a paper.

    Args:
        entry: the supernet that was searched.
        names: objectives.
        curves: name -> hypervolume after 1, 2, ... evaluations.
        ceiling: hypervolume of the exact front, None where it is not known.
    """
    goals, factor = objectives(names), 100 / ceiling if ceiling else 1.0
    longest = max(map(len, curves.values()), default=0)
    told = f"Hypervolume after each evaluation of {len(curves)} search{'es' * (len(curves) != 1)}"
    told += ", in percent of the exact front's. " if ceiling else ". "
    told += front_caption(entry, goals, longest, search="each search")

    def make(layout: Layout) -> PaperFigure:
        from core.papers.curves import Curve, curves_paper

        lines = [
            Curve(name, range(1, len(values) + 1), [factor * float(v) for v in values])
            for name, values in curves.items()
        ]
        return curves_paper(
            lines,
            layout,
            caption=told,
            title="Hypervolume of searches",
            across="Evaluations",
            up="Hypervolume (% of the exact front)" if ceiling else "Hypervolume",
            steps=True,
            ceiling=100.0 if ceiling else None,
        )

    paper_figure.popover("search", f"hypervolume-{entry.supernet_id}", make)
