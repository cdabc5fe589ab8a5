"""The evaluation table: networks by benchmarks, and what it leaves to be measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from core.attacks import ATTACKS
from core.library import evaluated
from core.library.benchmarks import EPSILONS, benchmark_label
from core.library.pruned import PrunedModel
from core.people import Action
from core.plots.finished import finished
from core.plots.pruning_table import LONGEST_LABEL, TableData, evaluation_table
from core.text import display_name, for_markdown
from core.views.pruning import PruningView, missing
from core.views.pruning_seeds import PrunedSeeds, SeedTable, group_of, over_seeds, seed_table
from core.words import format_share
from pages.ui.people import door
from pages.ui.progress import submit
from pages.ui.pruning import view_state
from pages.ui.selection import picked_on
from pages.ui.setup import note

if TYPE_CHECKING:
    import plotly.graph_objects as go

KEY = "pruning-table"
MOST_ROWS = 60


@dataclass(frozen=True, eq=False)
class Rows:
    """What the table shows.

    Attributes:
        groups: a row each, the parent first: networks that differ in their seed alone, or single ones.
        apart: whether seeds are shown one by one.
    """

    groups: tuple[PrunedSeeds, ...]
    apart: bool

    @property
    def models(self) -> list[PrunedModel]:
        """All networks of the rows."""
        return [model for group in self.groups for model in group.models]


def choose_rows(view: PruningView) -> Rows:
    """The networks shown: parent first, then those of the chosen methods and shares."""
    levels = sorted({m.asked for m in view.pruned})
    several = len({m.seed for m in view.pruned}) > 1
    with st.popover("Rows", icon=":material/filter_list:", key="pr-rows"):
        recipes = st.multiselect(
            "Methods",
            view.recipes,
            default=list(view.recipes),
            key=f"pr-variants-{len(view.recipes)}",
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
    apart = several and st.toggle(
        "Seeds apart", key="pr-apart", help="A row and a line per seed instead of their mean and spread."
    )
    chosen = [m for m in view.pruned if m.recipe in recipes and m.asked in (shares or ())]
    groups = over_seeds(chosen, apart=apart)
    if len(groups) > MOST_ROWS:
        st.caption(f"The first {MOST_ROWS} of {len(groups)} rows are shown; choose fewer under Rows.")
    return Rows((PrunedSeeds((view.parent,)), *groups[:MOST_ROWS]), apart)


def draw(view: PruningView, rows: Rows, severity: int, compare: str) -> None:
    """The table; a click on a cell selects that network and benchmark."""
    found = seed_table(view, rows.groups, severity)
    # The row of several seeds stands for the network of its lowest one: outlined and marked is the row.
    marked = group_of(rows.groups, compare)
    key = f"{view.key}-{severity}-{rows.apart}-{'/'.join(m.model_id for m in rows.models)}"
    start = view_state.selection.start(KEY, (key, compare))
    selected = group_of(rows.groups, start[0]) if start else None
    st.plotly_chart(
        _figure(
            key,
            marked.first.model_id if marked else None,
            (selected.first.model_id, start[1]) if selected and start else None,
            view_state.selection.edition(),
            found,
        ),
        key=KEY,
        on_select=_remember,
        selection_mode="points",
        width="stretch",
        config={"displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d", "zoom2d", "pan2d"]},
        alt="Table of accuracies: a row per pruned network, a column per corruption or attack; the choosers beside it select a cell too.",
    )
    attacked = f" or attacked (an attack may move every pixel by {EPSILONS[severity - 1]:g} of the range)"
    note(
        f"Accuracy in percent on the same {len(view.probe)} {view.probe.split} samples, clean or spoiled with severity {severity}"
        f"{attacked if view.probe.task == 'image' else ''}. Severity 5 of a corruption is where the supernet's largest subnet loses "
        "about 35 points. mCE: errors under corruption in percent of the unpruned network's; less is better. "
        f"{_about_seeds(rows)}{found.note}"
    )
    _measure_missing(view, rows.models, severity)


def _about_seeds(rows: Rows) -> str:
    if rows.apart:
        return "Every row is one seed (n = 1). "
    most = max(group.n for group in rows.groups)
    if most == 1:
        return "Every row is one seed (n = 1): prune with other seeds to see what chance changes. "
    return "A row of several seeds shows their mean; hover for the spread; a click selects the network of its lowest seed. "


@st.cache_resource(show_spinner=False, max_entries=32)
def _figure(
    key: str, compare: str | None, seed: tuple[str, str] | None, edition: int, _table: SeedTable
) -> go.Figure:
    data = TableData(
        model_ids=[g.first.model_id for g in _table.groups],
        row_labels=[group_label(g) for g in _table.groups],
        methods=["" if g.first.is_parent else g.first.recipe for g in _table.groups],
        benchmarks=list(_table.benchmarks),
        benchmark_labels=[benchmark_label(b, severity=False) for b in _table.benchmarks],
        values=_table.accuracy,
        mean_errors=_table.error,
        spreads=_table.spreads,
    )
    return finished(evaluation_table(data, selected=seed, compared=compare), edition)


def row_label(model: PrunedModel) -> str:
    """A network in a list: method, share and seed; the method is shortened so that the others are always seen."""
    if model.is_parent:
        return model.before
    return _shortened(model.recipe, f", {format_share(model.asked)}, seed {model.seed}")


def group_label(group: PrunedSeeds) -> str:
    """What stands beside a row: as `row_label`, with the number of seeds where there are several."""
    first = group.first
    if first.is_parent or group.n == 1:
        return row_label(first)
    return _shortened(first.recipe, f", {format_share(first.asked)}, {group.n} seeds")


def _shortened(name: str, rest: str) -> str:
    return f"{display_name(name, LONGEST_LABEL - len(rest))}{rest}"


def _remember() -> None:
    if picked := picked_on(KEY):
        view_state.clicked(picked)


def _measure_missing(view: PruningView, models: Sequence[PrunedModel], severity: int) -> None:
    """Offer what has not been measured at this severity."""
    known = ATTACKS.names() if view.probe.task == "image" else []
    measured = [a for a in known if any(f"{a}@{severity}" in each for each in view.margins.values())]
    attacks = measured or known[:1]
    left = missing(view, models, severity, attacks)
    if not left:
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(f"{len(left)} of these networks have not been evaluated at severity {severity}.")
        if st.button(
            "Evaluate them", key="evaluate-start", icon=":material/play_arrow:", **door.lock(Action.START)
        ):
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
