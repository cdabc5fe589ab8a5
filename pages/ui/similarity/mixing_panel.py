"""Mixing: can these two networks be averaged? The line between their weights, before and after matching units."""

from __future__ import annotations

import streamlit as st

from core.errors import CoreError
from core.library.mixing import KIND, MixingRecord
from core.library.networks import load_model
from core.people import Action
from core.plots.connectivity import barrier_figure, plane_figure, stage_figure
from core.plots.finished import finished
from core.records import Run, RunState
from core.text import display_name, for_markdown
from core.views import mixing as mixing_view
from core.workflows.connect_models import MATCHINGS, Request
from pages.ui import resources, terms
from pages.ui.people import door
from pages.ui.progress import active, all_runs, job_row, submit, watch
from pages.ui.setup import note
from pages.ui.similarity.selection import Compared


def panel(view: Compared) -> None:
    """Explain, compute, show."""
    terms.caption(
        "Walk in a straight line from A's weights to B's: does the loss rise? The same function can hide behind another "
        "order of units, so B's units are also put into A's order first. BatchNorm statistics are measured anew at every point."
    )
    store = resources.store_or_none()
    try:
        a, b = (load_model(store, m.model_id) for m in (view.a, view.b))
        mixing_view.require_mixable(a, b)
    except CoreError as error:
        st.info(
            f"{for_markdown(error, 600)} The tab **Shared or alone** trains one.", icon=":material/block:"
        )
        return
    if view.a.model_id == view.b.model_id:
        st.info("A and B are the same network: there is nothing between them. Choose another B above.")
        return
    third = _choose_third(view)
    request = Request(a=view.a.model_id, b=view.b.model_id, c=third, probe=view.probe)
    found = _runs(request)
    if not any(run.state is RunState.DONE for run in found):
        st.button(
            "Compute",
            key="mixing-start",
            type="primary",
            icon=":material/play_arrow:",
            on_click=_start,
            args=(request, view),
            **door.lock(Action.START, disabled=active(found)),
        )
    watch(lambda: _progress(request), lambda: active(_runs(request)))
    done = [run for run in _runs(request) if run.state is RunState.DONE]
    if done:
        _results(done[0], view, third)


def _choose_third(view: Compared) -> str | None:
    """A third network of the same shape, for the plane."""
    store = resources.store_or_none()
    others = {m.model_id: m for m in view.models if m not in (view.a, view.b)}
    fitting = [i for i, m in others.items() if mixing_view.same_architecture(store, view.a, m)]
    if not fitting:
        return None
    chosen = st.selectbox(
        "Plane through a third network",
        ["", *fitting],
        key="sim-third",
        width=340,
        format_func=lambda i: display_name(others[i].title) if i else "no plane",
    )
    return chosen or None


def _runs(request: Request) -> list[Run]:
    """Runs that ask the same, newest first."""
    params = request.model_dump(mode="json")
    return [run for run in all_runs([KIND]) if dict(run.params) == params]


def _start(request: Request, view: Compared) -> None:
    title = f"{view.a.short} to {view.b.short}"
    submit(KIND, request.model_dump(mode="json"), title=title, seed=request.seed)


def _progress(request: Request) -> None:
    for run in _runs(request)[:1]:
        if run.state is not RunState.DONE:
            job_row(run)


def _results(run: Run, view: Compared, third: str | None) -> None:
    found = _result(resources.place(), run.run_id)
    curves = found.curves
    cells = "".join(
        f"<div><b>{curves[name].barrier:.3f}</b><span>barrier, {MATCHINGS[name]}</span></div>"
        for name in curves
    )
    st.html(f'<div class="ps-headline">{cells}</div>')
    shown = st.segmented_control(
        "Show",
        ["Loss", "Accuracy"],
        default="Loss",
        required=True,
        key="sim-mixing-show",
        label_visibility="collapsed",
    )
    accuracy = shown == "Accuracy"
    left, right = st.columns([1.3, 1], gap="medium")
    with left:
        lines = {MATCHINGS[n]: (c.t, c.accuracy if accuracy else c.loss) for n, c in curves.items()}
        figure = barrier_figure(lines, accuracy=accuracy, title_a=view.a.short, title_b=view.b.short)
        st.plotly_chart(
            finished(figure), key="mixing-line", width="stretch", config={"displayModeBar": False}
        )
    with right:
        stages = {MATCHINGS[n]: list(s.values()) for n, s in found.stages.items()}
        figure = stage_figure(stages, list(found.labels))
        st.plotly_chart(
            finished(figure), key="mixing-stages", width="stretch", config={"displayModeBar": False}
        )
        terms.caption("Barrier of the loss when only one stage is moved from A to B.")
    if third and found.plane:
        x, y, values, corners = found.plane.arrays("accuracy" if accuracy else "loss")
        figure = plane_figure(x, y, values, corners, accuracy=accuracy)
        st.plotly_chart(finished(figure), key="mixing-plane", width="stretch")
    note(
        f"Barrier: largest rise of the loss above the straight line between the ends, in nats. {found.n:,} "
        f"{found.split} images; statistics from the calibration images; matching seed {run.seed}."
    )


@st.cache_resource(show_spinner=False, max_entries=32)
def _result(place: str, run_id: str) -> MixingRecord:
    return MixingRecord.decode(resources.store().ledger(run_id).artifact(MixingRecord.FILE))
