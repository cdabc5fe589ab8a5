"""Map: every network a point; near means alike. By distances at once, by UMAP in the background."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from core.errors import CoreError
from core.library import model_map as maps
from core.library import supernets
from core.library.maps import MapRecord
from core.library.model_map import Distances, MapChoice
from core.library.network_id import NetworkId
from core.library.supernets import SupernetEntry
from core.objectives.base import OBJECTIVES, all_names, objective
from core.people import Action
from core.plots.finished import finished
from core.plots.maps import model_map
from core.records import SHARE, Run, RunState
from core.text import display_name, for_markdown
from core.words import format_share
from core.workflows.map_models import Request
from pages.ui import resources, terms
from pages.ui.forms import field_number
from pages.ui.people import door
from pages.ui.progress import active, all_runs, job_row, submit, watch
from pages.ui.selection import picked_on
from pages.ui.setup import note
from pages.ui.similarity import view_state
from pages.ui.similarity.selection import Compared

if TYPE_CHECKING:
    import plotly.graph_objects as go

_KEY, _KIND = "model-map", "map_models"
_PLACES = {
    "first": "First stage",
    "middle": "Middle stage",
    "last": "Last stage before the answer",
    "answer": "The answer (logits)",
}


def panel(view: Compared) -> None:
    """Choose a place, look, click."""
    terms.caption(
        "Each dot is a subnet: those chosen above, members of the front, and random ones. Near dots hold the images "
        "in nearly the same arrangement, up to rotation and scale; a star was trained alone. Click a dot: it becomes network B."
    )
    store = resources.store_or_none()
    try:
        entry = supernets.find(store, view.a.supernet_id)
    except CoreError as error:
        st.warning(for_markdown(error, 600))
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        place = st.selectbox(
            "Compared at",
            list(_PLACES),
            index=2,
            format_func=_PLACES.__getitem__,
            key="sim-map-place",
            width=240,
        )
        column = st.selectbox(
            "Color", _columns(entry), format_func=_column_label, key="sim-map-color", width=210
        )
        sample = field_number(MapChoice, "sample", "Random subnets", step=25, key="sim-map-sample", width=130)
        method = st.segmented_control(
            "Map", ["Distances", "UMAP"], default="Distances", required=True, key="sim-map-method"
        )
    pooling = view.pooling if view.pooling in ("pooled", "flattened") else "pooled"
    choice = MapChoice(
        supernet=entry.supernet_id,
        models=tuple(m.model_id for m in view.models),
        sample=int(sample),
        place=place,
        pooling=pooling,
        probe=view.probe,
    )
    choice = maps.settled(entry, choice)
    if method == "UMAP":
        _umap(entry, choice, column, view)
        return
    try:
        with st.spinner("Running the networks on the probe…", show_time=True):
            found = maps.distances(store, entry, choice)
            embedded = maps.flat_map(found)
    except CoreError as error:
        st.warning(for_markdown(error, 600))
        return
    _draw(entry, found, embedded.points, column, view, f"mds-{entry.revision}-{choice}")
    note(
        f"Angular shape metric at the {_PLACES[place].lower()}, {pooling} features, {view.probe.split} images; classical scaling. "
        f"Two dimensions hold {format_share(embedded.explained)} of the distances (stress {embedded.stress:.2f}): "
        f"{'read far and near, not exact places' if embedded.stress > 0.15 else 'the drawing is close to the truth'}."
        + _left_out(found)
    )


def _umap(entry: SupernetEntry, choice: MapChoice, column: str, view: Compared) -> None:
    request = Request(choice=choice, revision=entry.revision)
    done = [run for run in _runs(request) if run.state is RunState.DONE]
    if not done:
        st.caption("UMAP keeps neighborhoods rather than distances. It runs in the background and is kept.")
        st.button(
            "Compute the UMAP",
            key="map-start",
            type="primary",
            icon=":material/play_arrow:",
            **door.lock(Action.START, disabled=active(_runs(request))),
            on_click=lambda: submit(
                _KIND, request.model_dump(mode="json"), title=f"map of {entry.title}", seed=request.seed
            ),
        )
    watch(lambda: _progress(request), lambda: active(_runs(request)))
    if done:
        try:
            found, points = _stored(resources.place(), done[0].run_id)
        except CoreError as error:
            st.warning(for_markdown(error, 600))
            return
        _draw(entry, found, points, column, view, f"umap-{done[0].run_id}")
        note(
            f"UMAP of the angular distances, {request.neighbors} neighbors, {request.epochs} epochs, seed {request.seed}. "
            "Distances between far groups mean nothing here." + _left_out(found)
        )


def _runs(request: Request) -> list[Run]:
    params = request.model_dump(mode="json")
    return [run for run in all_runs([_KIND]) if dict(run.params) == params]


def _progress(request: Request) -> None:
    for run in _runs(request)[:1]:
        if run.state is not RunState.DONE:
            job_row(run)


@st.cache_resource(show_spinner=False, max_entries=16)
def _stored(place: str, run_id: str) -> tuple[Distances, np.ndarray]:
    record = MapRecord.decode(resources.store().ledger(run_id).artifact(MapRecord.FILE))
    return record.distances, record.placed


def _draw(
    entry: SupernetEntry, found: Distances, points: np.ndarray, column: str, view: Compared, key: str
) -> None:
    named = {view.a.model_id: "A", view.b.model_id: "A = B" if view.a == view.b else "B"}
    st.plotly_chart(
        _figure(resources.place(), key, column, tuple(named.items()), entry, found, points),
        key=_KEY,
        on_select=_remember,
        selection_mode="points",
        width="stretch",
        config={"displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d"]},
        alt="Map of networks: near dots are alike. The chooser of network B above holds the same networks.",
    )


@st.cache_resource(show_spinner=False, max_entries=64)
def _figure(
    place: str,
    key: str,
    column: str,
    named: tuple[tuple[str, str], ...],
    _entry: SupernetEntry,
    _found: Distances,
    _points: np.ndarray,
) -> go.Figure:
    values = maps.colors(resources.store_or_none(), _entry, _found, column)
    percent = column in OBJECTIVES.names() and objective(column).shown == SHARE
    return finished(
        model_map(
            _points,
            _found.model_ids,
            _found.titles,
            values,
            label=_column_label(column),
            percent=percent,
            named=dict(named),
            alone=[NetworkId.parse(m).origin == "alone" for m in _found.model_ids],
        )
    )


def _columns(entry: SupernetEntry) -> list[str]:
    table = supernets.table(entry)
    known = [n for n in all_names() if table is not None and n in table]
    return known + list(entry.space.names)


def _column_label(column: str) -> str:
    return objective(column).label if column in OBJECTIVES.names() else display_name(column)


def _left_out(found: Distances) -> str:
    return (
        f" Not on the map: {len(found.left_out)} networks ({next(iter(found.left_out.values()))})"
        if found.left_out
        else ""
    )


def _remember() -> None:
    if picked := picked_on(_KEY):
        view_state.pick_b(picked)
