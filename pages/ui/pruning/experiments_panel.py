"""Experiments: questions about pruning that are answered by measuring, with several seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st
from pydantic import ValidationError

from core.errors import CoreError
from core.library.experiments import KIND, ExperimentRecord
from core.library.networks import ModelInfo
from core.plots.experiments import experiment_curves
from core.plots.finished import finished
from core.pruning.experiments.base import EXPERIMENTS, Row
from core.records import Run
from core.text import display_name, for_markdown
from core.views.experiments import curves
from core.words import count_of
from core.workflows.prune_experiment import Request
from pages.ui import checked, resources, state
from pages.ui.forms import complaint, config_form, field_number
from pages.ui.progress import active, all_runs, job_row, submit, watch
from pages.ui.setup import note

if TYPE_CHECKING:
    import plotly.graph_objects as go


def panel(parent: ModelInfo) -> None:
    """Choose an experiment, start it, watch its curves."""
    infos = {info.name: info for info in EXPERIMENTS.describe()}
    name = st.selectbox(
        "Experiment",
        list(infos),
        format_func=lambda n: infos[n].label,
        key="pr-experiment",
        help="\n\n".join(f"**{i.label}**: {i.summary} *{i.source}*" for i in infos.values()),
    )
    plugin = EXPERIMENTS.get(name)
    st.markdown(f"**{for_markdown(plugin.question, 300)}** {for_markdown(infos[name].summary, 600)}")
    runs = [
        r
        for r in all_runs([KIND])
        if r.params.get("experiment") == name and r.params.get("model") == parent.model_id
    ]
    if not runs:
        st.caption(
            "Not measured yet. It runs in the background; curves appear as soon as the first repetition is done."
        )
    with st.expander("Settings and start" if runs else "Settings", expanded=not runs):
        _form(name, parent)
    if runs:
        _results(runs, plugin)
    note(f"After {infos[name].source}.")


def _form(name: str, parent: ModelInfo) -> None:
    with checked.form() as form:
        _draw_form(name, parent, form)


def _draw_form(name: str, parent: ModelInfo, form: checked.Form) -> None:
    plugin = EXPERIMENTS.get(name)
    config: dict[str, Any] = {}
    values = config_form(plugin.Config, f"pr-experiment-{name}", columns=2)
    seed = field_number(Request, "seed", "First seed", key="pr-experiment-seed")
    try:
        config = plugin.Config.model_validate(values).model_dump(mode="json")
    except ValidationError as error:
        checked.complain_of_all(complaint(error))
    if form.start("Measure it", key="experiment-start", type="primary", icon=":material/science:"):
        params = {"experiment": name, "config": config, "model": parent.model_id, "seed": int(seed)}
        if submit(KIND, params, title=f"{plugin.label}: {display_name(parent.title)}", seed=int(seed)):
            st.rerun()


def _results(runs: list[Run], plugin: Any) -> None:
    by_id = {r.run_id: r for r in runs}
    run_id = next(iter(by_id))
    if len(runs) > 1:
        state.keep("pr-experiment-run", by_id, run_id)
        run_id = st.selectbox(
            "Run",
            list(by_id),
            key="pr-experiment-run",
            format_func=lambda i: (
                f"{display_name(by_id[i].title)}, seed {by_id[i].seed}, {by_id[i].state.value}"
            ),
        )

    def now() -> Run:
        return resources.jobs().run(run_id)

    def show() -> None:
        run = now()
        if not run.state.is_final or run.state.is_resumable:
            job_row(run)
        try:
            record = ExperimentRecord.so_far(resources.store().ledger(run_id))
        except CoreError as error:
            st.warning(for_markdown(error, 600), icon=":material/warning:")
            return
        if record is None:
            return
        rows, verdict = record.rows, record.verdict
        st.plotly_chart(
            _figure(f"{run_id}-{len(rows)}", plugin.x_label, plugin.y_label, rows),
            key="experiment-curves",
            width="stretch",
            config={"displaylogo": False},
            alt="Curves of the experiment, a line per condition, the spread of its seeds as a band.",
        )
        for sentence in verdict:
            st.markdown(f"- {for_markdown(sentence, 600)}")
        seeds = len({row.seed for row in rows})
        st.caption(
            f"Line: mean of {count_of(seeds, 'seed')}; band: lowest to highest seed. "
            "What has one value is drawn across; a repetition that got there and stopped keeps its last value."
        )

    watch(show, lambda: active([now()]))


@st.cache_resource(show_spinner=False, max_entries=32)
def _figure(key: str, x_label: str, y_label: str, _rows: list[Row]) -> go.Figure:
    found = curves(_rows)
    figure = experiment_curves(
        found.conditions,
        found.x,
        found.mean,
        found.low,
        found.high,
        x_label=x_label,
        y_label=y_label,
        percent=True,
    )
    return finished(figure)
