"""Predictors of accuracy from an architecture alone: cross-validated on what was measured, and whether their intervals hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from core.errors import CoreError
from core.library.judged import KIND, JudgedRecord
from core.library.supernets import SupernetEntry
from core.objectives.base import choosable_names, objective
from core.plots.finished import finished
from core.predictors import PREDICTORS
from core.records import Run, Source
from core.text import display_name, for_markdown
from core.views import predictors as view
from core.workflows.judge_predictors import Request
from pages.ui import checked, resources, terms
from pages.ui.forms import field_number
from pages.ui.progress import submit
from pages.ui.search import kept_runs
from pages.ui.setup import note
from pages.ui.tables import html_table

if TYPE_CHECKING:
    import plotly.graph_objects as go

_SAMPLE = ""


def panel(entry: SupernetEntry, searches: Sequence[Run]) -> None:
    """Choose rows and predictors, start, and see who orders best."""
    runs = kept_runs.of(KIND, entry)
    if not runs:
        terms.caption(
            "A predictor learns from a few measured architectures and guesses the rest; searches with one (LINAS, Bayesian "
            "optimization) are as good as it is. Here each is tested: it learns from four fifths of the measured "
            "architectures and guesses the last fifth, five times. It runs in the background for less than a minute."
        )
    with st.expander("Judge again, with other settings" if runs else "Settings", expanded=not runs):
        _form(entry, searches)
    if runs:
        kept_runs.followed(kept_runs.choose(runs, "pick-judged"), lambda run_id: _results(entry, run_id))


def _form(entry: SupernetEntry, searches: Sequence[Run]) -> None:
    infos = {info.name: info for info in PREDICTORS.describe()}
    goals = [name for name in choosable_names(task=entry.task) if objective(name).how is not Source.COUNTED]
    titles = {run.run_id: run.title for run in searches}
    with checked.form() as form:
        first, second = st.columns(2, gap="medium")
        with first:
            source = st.selectbox(
                "Measured architectures",
                [_SAMPLE, *titles],
                format_func=lambda i: display_name(titles[i]) if i else "A random sample",
                key="predictors-source",
                help="A random sample of the supernet (looked up where the whole space was measured), or what a search has measured.",
            )
            goal = st.selectbox(
                "Learn",
                goals,
                index=goals.index("accuracy") if "accuracy" in goals else 0,
                format_func=lambda n: objective(n).label,
                key="predictors-objective",
                help="Counted objectives are known exactly and not learned.",
            )
        with second, st.container(horizontal=True):
            rows = field_number(Request, "rows", "Architectures", key="predictors-rows", step=50)
            folds = field_number(Request, "folds", "Folds", key="predictors-folds")
            seed = field_number(Request, "seed", "Seed", key="predictors-seed")
        with second:
            beside = st.toggle(
                "Told MACs and parameters",
                value=True,
                key="predictors-beside",
                help="As in a search, where both are known before anything is measured.",
            )
        names = st.multiselect(
            "Predictors",
            list(infos),
            default=list(infos),
            format_func=lambda n: infos[n].label,
            key="predictors-names",
            help="\n\n".join(f"**{i.label}**: {i.summary} *{i.source}*" for i in infos.values()),
        )
        pressed = form.start(
            "Judge them",
            key="predictors-start",
            type="primary",
            icon=":material/play_arrow:",
            disabled=not names,
        )
    if pressed:
        params: dict[str, Any] = {
            "supernet": entry.supernet_id,
            "run": source,
            "rows": int(rows),
            "predictors": list(names),
            "objective": goal,
            "folds": int(folds),
            "beside": bool(beside),
            "seed": int(seed),
        }
        where = display_name(titles[source]) if source else "a random sample"
        title = f"{len(names)} predictors on {int(rows)} of {where}"
        if submit(KIND, params, title=title, seed=int(seed)):
            st.rerun()


def _results(entry: SupernetEntry, run_id: str) -> None:
    store = resources.store()
    try:
        record = JudgedRecord.so_far(store.ledger(run_id))
    except CoreError as error:
        st.warning(for_markdown(error, 600), icon=":material/warning:")
        return
    if record is None or not record.predictors:
        return
    found = view.rows(record)
    st.markdown(for_markdown(view.sentence(found), 1000))
    left, right = st.columns([1, 1], gap="medium")
    key = f"{run_id}-{len(record.predictors)}"
    with left:
        st.plotly_chart(
            _taus(key, found),
            key="predictors-taus",
            width="stretch",
            config={"displayModeBar": False},
            alt="Kendall's tau of every predictor: a mark per fold, a dot for the mean.",
        )
    with right:
        _guesses(record, found, key)
    html_table(view.table(found, record.objective), "Predictors on architectures they had not seen")
    note(view.how_measured(record, _searched(record)))
    st.download_button(
        "These numbers as CSV",
        lambda: view.csv(record),
        f"predictors-{entry.supernet_id}.csv",
        "text/csv",
        key="predictors-csv",
        on_click="ignore",
        icon=":material/table:",
    )


def _searched(record: JudgedRecord) -> str:
    """Title of the search the rows come from; "" for a sample."""
    if not record.run:
        return ""
    try:
        return display_name(resources.store().get_run(record.run).title)
    except CoreError:
        return "a search that was deleted"


def _guesses(record: JudgedRecord, rows: Sequence[view.PredictorRow], key: str) -> None:
    labels = {row.name: row.label for row in rows if row.taus}
    if not labels:
        return
    name = st.selectbox(
        "Guesses of",
        list(labels),
        format_func=labels.__getitem__,
        key="predictors-shown",
        help="Each dot is an architecture that this predictor had not seen when it guessed.",
    )
    found = view.guessed(record, name)
    if found is not None:
        st.plotly_chart(
            _scatter(f"{key}-{name}", found, record.objective),
            key="predictors-guesses",
            width="stretch",
            config={"displaylogo": False},
            alt="Scatter chart of measured against guessed values, with the line where both are equal.",
        )


@st.cache_resource(show_spinner=False, max_entries=16)
def _taus(key: str, _rows: list[view.PredictorRow]) -> go.Figure:
    from core.plots.predictors import tau_figure

    return finished(tau_figure(_rows))


@st.cache_resource(show_spinner=False, max_entries=32)
def _scatter(key: str, _found: view.Guessed, goal: str) -> go.Figure:
    from core.plots.predictors import guessed_figure

    return finished(guessed_figure(_found, objective(goal)))
