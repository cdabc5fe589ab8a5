"""The evaluation table: networks by benchmarks, and what it leaves to be measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from core.attacks import ATTACKS
from core.library import evaluated
from core.library.benchmarks import EPSILONS, benchmark_label
from core.library.pruned import PrunedModel
from core.plots.finished import finished
from core.plots.pruning_table import TableData, evaluation_table
from core.text import display_name, for_markdown
from core.views.pruning import PruningView, Table, missing, table
from core.words import format_share
from pages.ui.progress import submit
from pages.ui.pruning import view_state
from pages.ui.selection import picked_on
from pages.ui.setup import note

if TYPE_CHECKING:
    import plotly.graph_objects as go

KEY = "pruning-table"
MOST_ROWS = 60
_LONGEST_METHOD = 26


def choose_rows(view: PruningView) -> list[PrunedModel]:
    """The networks shown: parent first, then those of the chosen methods and shares."""
    levels = sorted({m.asked for m in view.pruned})
    with st.popover("Rows", icon=":material/filter_list:", key="pr-rows"):
        variants = st.multiselect(
            "Methods",
            view.variants,
            default=list(view.variants),
            key=f"pr-variants-{len(view.variants)}",
            format_func=display_name,
        )
        shares = st.pills(
            "Shares removed",
            levels,
            selection_mode="multi",
            default=levels,
            format_func=lambda s: f"{s:.4g}" if s < 0.01 else f"{format_share(s)}",
            key=f"pr-shares-{len(levels)}",
        )
    rows = [m for m in view.pruned if m.variant in variants and m.asked in (shares or ())]
    if len(rows) > MOST_ROWS:
        st.caption(f"The first {MOST_ROWS} of {len(rows)} networks are shown; choose fewer rows.")
    return [view.parent, *rows[:MOST_ROWS]]


def draw(view: PruningView, models: Sequence[PrunedModel], severity: int, compare: str) -> None:
    """The table; a click on a cell selects that network and benchmark."""
    found = table(view, models, severity)
    key = f"{view.key}-{severity}-{'/'.join(m.model_id for m in models)}"
    st.plotly_chart(
        _figure(key, compare, view_state.selection.seed(), view_state.selection.edition(), found),
        key=KEY,
        on_select=_remember,
        selection_mode="points",
        width="stretch",
        config={"displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d", "zoom2d", "pan2d"]},
        alt="Table of accuracies: a row per pruned network, a column per corruption or attack; the choosers beside it select a cell too.",
    )
    eps = EPSILONS[severity - 1]
    note(
        f"Accuracy in percent on the same {len(view.probe)} {view.probe.split} images, clean, spoiled with severity {severity} or attacked "
        f"(an attack may move every pixel by {eps:g} of the range). Severity 5 of a corruption is where the supernet's largest subnet loses "
        "about 35 points. mCE: errors under corruption in percent of the unpruned network's; less is better. "
        f"{found.note}"
    )
    _measure_missing(view, models, severity)


@st.cache_resource(show_spinner=False, max_entries=32)
def _figure(key: str, compare: str, seed: tuple[str, str] | None, edition: int, _table: Table) -> go.Figure:
    data = TableData(
        model_ids=[m.model_id for m in _table.models],
        row_labels=[row_label(m) for m in _table.models],
        methods=["" if m.is_parent else m.variant for m in _table.models],
        benchmarks=list(_table.benchmarks),
        benchmark_labels=[benchmark_label(b, severity=False) for b in _table.benchmarks],
        values=_table.accuracy,
        mean_errors=_table.error,
        reasons={},
    )
    return finished(evaluation_table(data, selected=seed, compared=compare or None), edition)


def row_label(model: PrunedModel) -> str:
    """What stands beside a row: the method, shortened so that the share is always seen, and the share."""
    return (
        model.before
        if model.is_parent
        else f"{display_name(model.variant, _LONGEST_METHOD)}, {format_share(model.asked)}"
    )


def _remember() -> None:
    if picked := picked_on(KEY):
        view_state.clicked(picked)


def _measure_missing(view: PruningView, models: Sequence[PrunedModel], severity: int) -> None:
    """Offer what has not been measured at this severity."""
    attacks = [
        a for a in ATTACKS.names() if any(f"{a}@{severity}" in each for each in view.margins.values())
    ] or ["fgsm"]
    left = missing(view, models, severity, attacks)
    if not left:
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(f"{len(left)} of these networks have not been evaluated at severity {severity}.")
        if st.button("Evaluate them", key="evaluate-start", icon=":material/play_arrow:"):
            params = {
                "parent": view.parent.model_id,
                "models": [i for i in left if i != view.parent.model_id],
                "benchmarks": {"severities": [severity], "attacks": attacks},
            }
            title = f"Severity {severity} for {len(left)} networks"
            if submit(evaluated.KIND, params, title=title, seed=0):
                st.rerun()


def failed(view: PruningView) -> None:
    """Methods that could not prune this network, and why."""
    for failure in {f.method: f for f in reversed(view.failures)}.values():
        if failure.method not in {m.method for m in view.pruned}:
            st.caption(
                f":material/block: **{for_markdown(failure.label)}**: {for_markdown(failure.reason, 400)}"
            )
