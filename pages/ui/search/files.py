"""What the Search page hands out: the evaluations as CSV with their description, the race as a figure for a paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.library.supernets import SupernetEntry
from core.objectives.base import objectives
from core.over_seeds import band, band_name
from core.records import Run
from core.reports.captions import front_caption
from core.text import display_name
from core.views.race import Race, Racer
from pages.ui import paper_figure, resources

if TYPE_CHECKING:
    from core.papers.base import Layout, PaperFigure
    from core.papers.curves import Curve


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


def race(entry: SupernetEntry, found: Race, *, apart: bool) -> None:
    """The hypervolume of the searches as a figure for a paper, as it is on the screen.

    Args:
        entry: the supernet that was searched.
        found: what is drawn.
        apart: a line per seed.
    """
    share = found.ceiling is not None
    factor, goals = (100.0 if share else 1.0), objectives(found.names)
    longest = max(racer.curves.shape[1] for racer in found.racers)
    searches = sum(len(racer.seeds) for racer in found.racers)
    told = f"Hypervolume after each evaluation of {searches} search{'es' * (searches != 1)}"
    told += ", in percent of the exact front's. " if share else ". "
    bands = " or ".join(dict.fromkeys(band_name(len(r.seeds)) for r in found.racers if len(r.seeds) > 1))
    if bands and not apart:
        told += f"Lines: means over seeds; bands: {bands}. "
    told += front_caption(entry, goals, longest, search="each search")

    def make(layout: Layout) -> PaperFigure:
        from core.papers.curves import curves_paper

        return curves_paper(
            [line for racer in found.racers for line in _lines(racer, factor, apart)],
            layout,
            caption=told,
            title="Hypervolume of searches",
            across="Evaluations",
            up="Hypervolume (% of the exact front)" if share else "Hypervolume",
            steps=True,
            ceiling=100.0 if share else None,
        )

    paper_figure.popover("search", f"hypervolume-{entry.supernet_id}", make)


def _lines(racer: Racer, factor: float, apart: bool) -> list[Curve]:
    from core.papers.curves import Curve

    values = racer.curves * factor
    places = range(1, values.shape[1] + 1)
    if apart or len(values) == 1:
        return [
            Curve(f"{racer.label}, seed {seed}", places, row.tolist())
            for seed, row in zip(racer.seeds, values, strict=True)
        ]
    over = band(values)
    ends = (over.low.tolist(), over.high.tolist())
    return [Curve(f"{racer.label}, n = {over.n}", places, over.mean.tolist(), *ends)]
