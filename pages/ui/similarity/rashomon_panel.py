"""Equally good: all subnets within a tolerance of the best, and how differently they decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.errors import CoreError
from core.library import supernets
from core.library.networks import subnet_id
from core.library.supernets import SupernetEntry
from core.plots.finished import finished
from core.plots.pictures import image_strip
from core.plots.rashomon import swarm_figure
from core.text import for_markdown
from core.views import rashomon as rashomon_view
from core.views.rashomon import RashomonView
from core.words import format_share, format_value
from pages.ui import resources, terms
from pages.ui.selection import picked_on
from pages.ui.setup import note
from pages.ui.similarity import view_state
from pages.ui.similarity.selection import Compared
from pages.ui.tables import html_table

if TYPE_CHECKING:
    import plotly.graph_objects as go

_SWARM = "rashomon-swarm"
_STEPS = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0)


def panel(view: Compared) -> None:
    """The set of A's supernet."""
    terms.caption(
        "Many subnets are as good as the best. Do they also decide alike? All subnets whose validation accuracy is "
        "within the tolerance of the best, from the complete table: a Rashomon set, known exactly."
    )
    tolerance = st.select_slider(
        "Tolerance, points of accuracy",
        _STEPS,
        value=1.0,
        key="sim-tolerance",
        format_func=lambda v: f"{v:g}",
    )
    try:
        entry = supernets.find(resources.store_or_none(), view.a.supernet_id)
        with st.spinner("Counting…"):
            found = rashomon_view.rashomon_view(entry, tolerance / 100, view.probe.seed)
    except CoreError as error:
        st.info(for_markdown(error, 600), icon=":material/table:")
        return
    _headline(found)
    _decide(entry, found, tolerance, view)
    _what_matters(entry, found, tolerance, view.probe.seed)


def _headline(found: RashomonView) -> None:
    parts = [
        (
            f"{found.size:,}",
            f"of {found.total:,} subnets reach {format_value(found.threshold, found.quality)}",
        ),
        (format_value(found.best_value, found.quality), f"the best, {found.best}"),
    ]
    if found.cost is not None:
        less = f"lower {found.cost.label}: {found.cheapest}, the cheapest of the set"
        parts.append((f"{found.saving:.1f}×", less))
    st.html(
        f'<div class="ps-headline">{"".join(f"<div><b>{v}</b><span>{t}</span></div>" for v, t in parts)}</div>'
    )


def _decide(entry: SupernetEntry, view_of_set: RashomonView, tolerance: float, view: Compared) -> None:
    try:
        with st.spinner("Asking the members…", show_time=True):
            decided = rashomon_view.decisions(entry, tolerance / 100, view.probe.seed)
    except CoreError as error:
        st.warning(for_markdown(error, 600))
        return
    found = decided.found
    shares = {
        "Ambiguity: some member contradicts the best": found.ambiguity,
        "Discrepancy: the most different member contradicts the best": found.discrepancy,
        "Pairwise: two members disagree, mean over all pairs": found.pairwise,
    }
    html_table(
        [
            {"How differently they decide": k, "Share of images": f"{format_share(v, 1)}"}
            for k, v in shares.items()
        ],
        "How differently the members decide",
    )
    images, captions, wrong = decided.pictures(12)
    if captions:
        st.caption(
            "The most contested images: class, share of members against the best, what most of them say. Framed: the best is wrong."
        )
        st.html(image_strip(images, captions, size=60, marked=wrong))
    everyone = decided.voters == view_of_set.size
    asked = "all members" if everyone else f"{decided.voters} members, drawn with seed {view.probe.seed}"
    note(
        f"Decisions of {asked} on {len(decided.reference):,} validation images of {decided.dataset.title}."
        + ("" if everyone else " Ambiguity and discrepancy of the whole set are at least these.")
    )


def _what_matters(entry: SupernetEntry, found: RashomonView, tolerance: float, seed: int) -> None:
    st.markdown("**What matters to them**")
    st.plotly_chart(
        _swarm(f"{entry.revision}-{tolerance}-{seed}", found),
        key=_SWARM,
        on_select=lambda: _remember(entry),
        selection_mode="points",
        width="stretch",
        config={"displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d"]},
        alt="Swarm: importance of every choice to every member of the set; click a dot to make that subnet network B.",
    )
    drawn = (
        ""
        if len(found.drawn) == found.size
        else f" {len(found.drawn)} of {found.size:,} members are drawn, with a seed."
    )
    note(
        "One dot per member and choice: the accuracy it would lose if that choice alone took another option, the mean over "
        f"the options, exact from the table. Dots above each other have the same number. Click a dot: that subnet becomes network B.{drawn}"
    )
    pairs = [p for p in found.pairs if abs(p[2]) >= 5e-5][:6]
    if pairs:
        st.caption(
            "Strongest interactions: the loss when both choices change, minus the sum of the losses when either does; "
            f"the mean over {found.in_pairs} members. Above zero, losing both hurts more than the sum."
        )
        html_table(
            [{"choices": f"{a} and {b}", "points": f"{100 * s:+.2f}"} for a, b, s in pairs],
            "Strongest interactions of two choices",
        )


@st.cache_resource(show_spinner=False, max_entries=32)
def _swarm(key: str, _found: RashomonView) -> go.Figure:
    return finished(swarm_figure(_found.choices, _found.importance, _found.values, _found.drawn))


def _remember(entry: SupernetEntry) -> None:
    if picked := picked_on(_SWARM):
        view_state.pick_b(subnet_id(entry, picked))
