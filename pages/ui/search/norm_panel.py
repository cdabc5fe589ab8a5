"""A search for layers instead of networks: expressions that normalize and activate at once. Drawn when it is opened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from core.errors import CoreError
from core.jobs.forecast import of_work
from core.library.csv_tables import csv_bytes
from core.library.norm_search import KIND, TABLE_FILE
from core.library.supernets import SupernetEntry
from core.over_seeds import ASSUMES
from core.plots.norm_search import Tried, norm_figure
from core.plots.over_seeds import in_words
from core.records import Run
from core.text import for_markdown
from core.views.norm_search import NormView
from core.words import format_share
from core.workflows.evolve_norm import Request
from pages.ui import checked, resources
from pages.ui.forecast import forecast
from pages.ui.forms import config_form
from pages.ui.progress import active, all_runs, job_row, submit, watch
from pages.ui.setup import note
from pages.ui.tables import html_table

_WHAT = (
    "A layer after each convolution usually normalizes (BatchNorm) and then cuts off what is negative (ReLU). Here small "
    "expressions stand for both at once. Each is tried in two tiny networks on the 8x8 digits; those that cannot be "
    "trained are rejected after a short look, the best are changed a little, and so on. The winner is then trained again "
    "with new seeds beside the usual layers and the two that the paper found."
)
_SOURCE = (
    "Inspired by Liu et al., 'Evolving Normalization-Activation Layers', NeurIPS 2020: thousands of times fewer "
    "expressions, trees instead of graphs, and a start from simple expressions instead of random ones."
)


def panel(entry: SupernetEntry | None = None, searches: Sequence[Run] = ()) -> None:
    """Start a search, watch it, see which layer it found and whether that is better than the usual ones.

    Args:
        entry, searches: as every panel here gets them; no supernet takes part.
    """
    st.markdown(_WHAT)
    runs = all_runs([KIND])
    with st.expander("Settings and start", expanded=not runs), checked.form() as form:
        _form(form)
    if runs:
        chosen = _chosen(runs)
        watch(lambda: _show(chosen), lambda: active(_now(chosen)))
    note(_SOURCE)


def _form(form: checked.Form) -> None:
    params: dict[str, Any] = config_form(Request, "norm", columns=2)
    if params["tournament"] > params["population"]:
        checked.complain("Tournament: at most as many contestants as the population.")
    else:
        forecast(KIND, params, lambda trial: of_work(trial), key="norm-forecast")
    if form.start("Evolve a layer", key="norm-start", type="primary", icon=":material/play_arrow:"):
        seed = int(params["seed"])
        if submit(KIND, params, title=f"Evolved layer, seed {seed}", seed=seed):
            st.rerun()


def _chosen(runs: list[Run]) -> str:
    by_id = {run.run_id: run for run in runs}
    if len(runs) == 1:
        return runs[0].run_id
    return str(
        st.selectbox("Search", list(by_id), format_func=lambda run_id: by_id[run_id].title, key="norm-run")
    )


def _now(run_id: str) -> list[Run]:
    return [run for run in all_runs([KIND]) if run.run_id == run_id]


def _show(run_id: str) -> None:
    for run in _now(run_id):
        job_row(run)
    store = resources.store()
    try:
        view = NormView.of(store.ledger(run_id).metrics())
    except CoreError as error:
        st.warning(for_markdown(error, 600))
        return
    if not view.search.candidates:
        st.caption("Nothing has been tried yet.")
        return
    best = view.search.best
    tried = [Tried(c.generation, c.formula, c.accuracy, c.rejected) for c in view.search.candidates]
    st.plotly_chart(
        norm_figure(tried, best=best.formula if best else ""),
        key=f"norm-figure-{run_id}",
        width="stretch",
        config={"displaylogo": False},
        alt="Accuracy of every expression by generation, with the best so far.",
    )
    st.caption(
        f"{len(tried)} expressions, {view.rejected} rejected before training. "
        + (
            f"The best: {for_markdown(best.formula)}, {format_share(best.accuracy or 0, 1)} on validation images; "
            if best
            else ""
        )
        + "σ is the sigmoid, v a learned number per channel; std and mean are over a batch, one image, or a group of an "
        "image's channels."
    )
    _comparison(view)
    st.download_button(
        "Expressions as CSV",
        lambda: csv_bytes(view.search.table()),
        TABLE_FILE,
        "text/csv",
        key=f"norm-csv-{run_id}",
        on_click="ignore",
        icon=":material/table:",
    )


def _comparison(view: NormView) -> None:
    if not view.rows:
        return
    rows = [
        {"layer": row.name, "test accuracy over seeds": in_words(row.accuracy, factor=100.0, unit=" %")}
        for row in view.rows
    ]
    html_table(rows, "Layers trained again with new seeds")
    for sentence in view.sentences:
        st.markdown(f"- {for_markdown(sentence, 400)}")
    note(ASSUMES)
