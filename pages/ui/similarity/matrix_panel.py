"""Matrix: up to forty networks, each against each. Measured in the background, kept, ordered, taken home as CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st
from pydantic import ValidationError

from core.errors import CoreError
from core.library import supernets
from core.library.csv_tables import csv_bytes
from core.library.matrices import KIND, Matrix, MatrixChoice, MatrixRecord
from core.people import Action
from core.plots.finished import finished
from core.plots.similarity_matrix import MatrixData, matrix_figure
from core.records import Run, RunState
from core.similarity.base import MEASURES
from core.text import display_name, for_figure, for_markdown
from core.views import similarity_matrix as views
from core.workflows.compare_many import Request
from pages.ui import resources, state, terms
from pages.ui.people import door
from pages.ui.progress import active, all_runs, job_row, submit, watch
from pages.ui.selection import picked_on
from pages.ui.setup import note
from pages.ui.similarity import matrix_choice, view_state
from pages.ui.similarity.selection import Compared

if TYPE_CHECKING:
    import plotly.graph_objects as go

_KEY = "similarity-matrix"


def panel(view: Compared) -> None:
    """Choose networks and a stage, compare, look, click."""
    terms.caption(
        "Many networks at once: which of them have learned the same? Every cell is one pair, by the measure, features and "
        "samples chosen above. Click a cell: its networks become A and B, and the heatmap above shows them layer by layer."
    )
    try:
        entry = supernets.find(resources.store_or_none(), view.a.supernet_id)
        networks = matrix_choice.choose_networks(entry, view)
        matrix_choice.choose_place(networks)
        if len(networks) < 2:
            st.info(
                "Add at least two networks: the front, random subnets, pruned ones, the basket.",
                icon=":material/table:",
            )
            return
        choice = matrix_choice.as_choice(view)
        request = Request(choice=choice, revision=views.revision_of(resources.store_or_none(), networks))
    except (CoreError, ValidationError) as error:
        said = error if isinstance(error, CoreError) else "These settings do not fit; choose the stage again."
        st.warning(for_markdown(said, 600))
        return
    _compare(request, view)


def _compare(request: Request, view: Compared) -> None:
    runs = _runs(request)
    done = [run for run in runs if run.state is RunState.DONE]
    if not done:
        n = len(request.choice.networks)
        st.button(
            f"Compare {n} networks",
            key="matrix-start",
            type="primary",
            icon=":material/play_arrow:",
            **door.lock(
                Action.START,
                disabled=active(runs),
                help=f"{n * (n - 1) // 2} pairs, in the background; the result is kept.",
            ),
            on_click=lambda: submit(
                KIND, request.model_dump(mode="json"), title=f"Similarity of {n} networks", seed=0
            ),
        )
        watch(lambda: _progress(request), lambda: active(_runs(request)))
        return
    try:
        found = _stored(resources.place(), done[0].run_id)
    except CoreError as error:
        st.warning(for_markdown(error, 600))
        return
    _show(done[0].run_id, found, request.choice, view)


def _runs(request: Request) -> list[Run]:
    params = request.model_dump(mode="json")
    return [run for run in all_runs([KIND]) if dict(run.params) == params]


def _progress(request: Request) -> None:
    for run in _runs(request)[:1]:
        job_row(run)


@st.cache_resource(show_spinner=False, max_entries=16)
def _stored(place: str, run_id: str) -> Matrix:
    return MatrixRecord.decode(resources.store().ledger(run_id).artifact(MatrixRecord.FILE)).matrix


def _show(run_id: str, found: Matrix, choice: MatrixChoice, view: Compared) -> None:
    order = views.order_of(found, choice.measure, view.matrix.order)
    st.plotly_chart(
        _figure(f"{run_id}-{view.matrix.order}", order, found, choice),
        key=_KEY,
        on_select=_remember,
        selection_mode="points",
        width="stretch",
        config={
            "displaylogo": False,
            "modeBarButtonsToRemove": ["select2d", "lasso2d", "zoom2d", "pan2d"],
            "toImageButtonOptions": {"filename": "similarity-matrix", "scale": 2},
        },
        alt="Square heatmap: similarity of every network with every other; the choosers below hold the same pairs.",
    )
    measure = MEASURES.get(choice.measure)
    direction = (
        " Rows are A, columns B: this measure depends on the direction." if not measure.symmetric else ""
    )
    note(
        f"{measure.label}, {matrix_choice.in_words(choice)}; {found.samples}. Bright is alike; a blank cell with a cross has "
        f"no value. The scale spans what these pairs say, so colors of two matrices do not compare.{direction}"
    )
    for network_id, reason in found.left_out.items():
        st.caption(f"Not in the matrix: {for_markdown(network_id)}. {for_markdown(reason, 300)}")
    for reason in dict.fromkeys(found.reasons.values()):
        st.caption(
            f"No value in {sum(r == reason for r in found.reasons.values())} cells: {for_markdown(reason, 300)}"
        )
    _pair(found)
    st.download_button(
        "Matrix as CSV",
        lambda: csv_bytes(views.rows_of(found, choice, order)),
        f"similarity-matrix-{choice.measure}.csv",
        "text/csv",
        key="matrix-csv",
        on_click="ignore",
        icon=":material/table:",
        help="A row per pair, in the order shown. The camera above the chart saves a picture.",
    )


@st.cache_resource(show_spinner=False, max_entries=16)
def _figure(key: str, _order: list[int], _found: Matrix, _choice: MatrixChoice) -> go.Figure:
    measure = MEASURES.get(_choice.measure)
    names = views.names_of(_found)
    at = {(i, j): why for (i, j), why in _found.reasons.items()}
    data = MatrixData(
        ids=[_found.model_ids[k] for k in _order],
        names=[names[k] for k in _order],
        titles=[_found.titles[k] for k in _order],
        values=_found.values[_order][:, _order],
        reasons={
            (a, b): at[i, j] for a, i in enumerate(_order) for b, j in enumerate(_order) if (i, j) in at
        },
        low=measure.low,
        high=measure.high,
        distance=measure.kind == "distance",
        measure=measure.label,
    )
    caption = for_figure(f"{measure.label}, {matrix_choice.in_words(_choice)}; {_found.samples}", 200)
    return finished(matrix_figure(data, caption=caption))


def _pair(found: Matrix) -> None:
    """The matrix's twin for the keyboard: two networks, their value, and the way to their heatmap."""
    titles = dict(zip(found.model_ids, found.titles, strict=True))
    ids = list(titles)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        picked = []
        for key, label, start in (("sim-matrix-a", "Row", ids[0]), ("sim-matrix-b", "Column", ids[1])):
            state.keep(key, titles, start)
            picked.append(
                st.selectbox(label, ids, format_func=lambda i: display_name(titles[i]), key=key, width=260)
            )
        value = found.values[ids.index(picked[0]), ids.index(picked[1])]
        st.button(
            f"Open this pair ({value:.3f})" if value == value else "Open this pair (no value)",
            key="sim-matrix-open",
            on_click=_open,
            args=("|".join(picked),),
            icon=":material/compare:",
        )


def _remember() -> None:
    if picked := picked_on(_KEY):
        _open(picked)


def _open(picked: str) -> None:
    """Callback: these two become A and B."""
    view_state.pick_pair(picked)
    st.toast("They are A and B now; the heatmap above shows them.", icon=":material/compare:")
