"""Units: is unit 7 of A anywhere in B? Correlations, matchings, and the samples that excite both units."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.errors import CoreError
from core.library.activations import common_probe
from core.library.networks import Model, load_model
from core.plots import matching as figures
from core.plots.finished import finished
from core.plots.pictures import sample_strip
from core.similarity.matching import matched_order
from core.text import for_markdown
from core.views import match_units
from core.views.match_units import LayerPair, UnitMatch
from pages.ui import resources, terms
from pages.ui.selection import picked_on
from pages.ui.setup import note
from pages.ui.similarity.selection import Compared

if TYPE_CHECKING:
    import plotly.graph_objects as go

_MATRIX, _PICKED = "unit-matrix", "sim-units"
_ORDERS = ("Matched", "Natural")


def panel(view: Compared) -> None:
    """Matching of the selected pair of layers."""
    store = resources.store_or_none()
    pair = LayerPair(view.layer_a, view.layer_b, view.pooling, view.probe)
    try:
        a, b = (load_model(store, m.model_id) for m in (view.a, view.b))
        found = match_units.unit_match(a, b, pair)
    except CoreError as error:
        st.info(for_markdown(error, 600), icon=":material/block:")
        return
    _headline(found)
    one, few, groups = st.tabs(["One to one", "Few to one", "Groups"], key="sim-unit-tabs", on_change="rerun")
    with one:
        if one.open:
            _one_to_one(a, b, pair, found)
    with few:
        if few.open:
            _few_to_one(a, b, pair)
    with groups:
        if groups.open:
            _groups(a, b, pair, found)


def _headline(found: UnitMatch) -> None:
    matching, units = found.matching, found.correlations
    parts = [
        (f"{matching.mean:.2f}", "mean correlation, one to one"),
        (f"{matching.greedy_mean:.2f}", "best partner, repeats allowed"),
        (f"{found.chance[0]:.2f} ± {found.chance[1]:.2f}", "one to one, shuffled samples"),
        (f"{len(units.dead_a)} and {len(units.dead_b)}", "dead units in A and B"),
    ]
    st.html(
        f'<div class="ps-headline">{"".join(f"<div><b>{v}</b><span>{t}</span></div>" for v, t in parts)}</div>'
    )


def _one_to_one(a: Model, b: Model, pair: LayerPair, found: UnitMatch) -> None:
    terms.caption(
        "Each square is a unit of A and a unit of B. Click one: the samples that excite both units most."
    )
    key = f"{a.key}-{b.key}-{pair}"
    left, right = st.columns([1.15, 1], gap="medium")
    with left:
        order = st.segmented_control(
            "Order",
            _ORDERS,
            default=_ORDERS[0],
            required=True,
            key="sim-unit-order",
            help="Matched: pairs of the one-to-one matching on the diagonal, best first.",
        )
        st.plotly_chart(
            _matrix(key, order == _ORDERS[0], found),
            key=_MATRIX,
            on_select=_remember,
            selection_mode="points",
            width="stretch",
            config={"displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d"]},
            alt="Matrix of correlations between units of A and units of B; the two choosers beside it select a pair too.",
        )
    with right:
        unit_a, unit_b = _choose_pair(found)
        with st.container(key="unit-images"):
            correlation = found.correlations.of(unit_a, unit_b)
            st.markdown(f"Correlation of A's unit {unit_a} and B's unit {unit_b}: **{correlation:.2f}**")
            for model, layer, unit, name in ((a, pair.layer_a, unit_a, "A"), (b, pair.layer_b, unit_b, "B")):
                _images(a, b, model, layer, unit, name, pair)
    with st.expander("How well every unit is matched"):
        st.plotly_chart(_line(key, found), key="unit-line", width="stretch", config={"displayModeBar": False})
        note(
            "The gap between the two lines are units whose twin is already taken. Dotted: one-to-one matches of "
            "samples that do not belong together; with few samples or many units even noise finds partners."
        )


def _images(a: Model, b: Model, model: Model, layer: str, unit: int, name: str, pair: LayerPair) -> None:
    top = match_units.top_of_probe(model, common_probe(a, b, pair.probe), layer, pair.pooling, unit)
    st.caption(f"Most exciting for {name}'s unit {unit}, with class and activation")
    captions = [
        " · ".join(filter(None, (c, f"{v:.2f}"))) for c, v in zip(top.classes, top.activations, strict=True)
    ]
    st.html(sample_strip(top.samples, captions, size=52))


def _choose_pair(found: UnitMatch) -> tuple[int, int]:
    """The selected units: clicked, chosen, or the best match; choosers are the matrix's twin for the keyboard."""
    units, matching = found.correlations, found.matching
    unit_a, unit_b = st.session_state.get(_PICKED, (-1, -1))
    if unit_a not in units.live_a or unit_b not in units.live_b:
        best = int(matching.values.argmax())
        unit_a, unit_b = int(units.live_a[matching.rows[best]]), int(units.live_b[matching.columns[best]])
    st.session_state["sim-unit-a"], st.session_state["sim-unit-b"] = unit_a, unit_b
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox("Unit of A", units.live_a.tolist(), key="sim-unit-a", on_change=_chosen, width=110)
        st.selectbox("Unit of B", units.live_b.tolist(), key="sim-unit-b", on_change=_chosen, width=110)
        partner = found.partner(unit_a)
        if partner is not None and partner != unit_b:
            st.button(
                f"Match of A's unit {unit_a}: {partner}",
                key="sim-unit-match",
                on_click=_pick,
                args=(unit_a, partner),
                icon=":material/link:",
            )
    return unit_a, unit_b


def _chosen() -> None:
    _pick(st.session_state["sim-unit-a"], st.session_state["sim-unit-b"])


def _pick(unit_a: int, unit_b: int) -> None:
    st.session_state[_PICKED] = (unit_a, unit_b)


def _remember() -> None:
    first, _, second = picked_on(_MATRIX).removeprefix("u").partition("-")
    if first.isdecimal() and second.isdecimal():
        _pick(int(first), int(second))


@st.cache_resource(show_spinner=False, max_entries=64)
def _matrix(key: str, matched: bool, _found: UnitMatch) -> go.Figure:
    units = _found.correlations
    rows, columns = (
        matched_order(_found.matching, units.values.shape) if matched else (slice(None), slice(None))
    )
    values = units.values[rows, :][:, columns]
    return finished(figures.unit_matrix(values, units.live_a[rows].tolist(), units.live_b[columns].tolist()))


@st.cache_resource(show_spinner=False, max_entries=64)
def _line(key: str, _found: UnitMatch) -> go.Figure:
    return finished(
        figures.sorted_match(
            _found.matching.values.tolist(), _found.matching.greedy_values.tolist(), _found.chance[0]
        )
    )


def _few_to_one(a: Model, b: Model, pair: LayerPair) -> None:
    terms.caption(
        "Can each unit of B be written as a weighted sum of few units of A? The lasso is fitted on half of the "
        "samples and judged on the other half; stronger penalties use fewer units."
    )
    try:
        found = match_units.sparse_match(a, b, pair)
    except CoreError as error:
        st.info(for_markdown(error, 600), icon=":material/block:")
        return
    used, r2 = found.nonzeros.mean(1).tolist(), found.r2.mean(1).tolist()
    st.plotly_chart(finished(figures.sparse_path(used, r2, found.knee)), key="unit-sparse", width="stretch")
    note(
        f"With {used[found.knee]:.1f} units of A per unit of B the mean R² is {r2[found.knee]:.2f} (the best is "
        f"{max(r2):.2f}, with {used[-1]:.1f}). {len(found.targets)} units of B, {len(found.sources)} of A; "
        f"{found.n_fit} samples to fit, {found.n_held_out} held out."
    )


def _groups(a: Model, b: Model, pair: LayerPair, matched: UnitMatch) -> None:
    terms.caption(
        "Groups of units of both nets that vary together, whatever unit says it: spectral clustering of all |correlations|."
    )
    wanted = st.selectbox(
        "Groups",
        [0, *range(2, 13)],
        format_func=lambda k: "chosen by the largest eigengap" if k == 0 else str(k),
        key="sim-unit-groups",
        width=260,
    )
    try:
        found = match_units.unit_groups(a, b, pair, wanted or None)
    except CoreError as error:
        st.info(for_markdown(error, 600), icon=":material/block:")
        return
    figure = figures.grouped_matrix(
        matched.correlations.values,
        found.labels_a.tolist(),
        found.labels_b.tolist(),
        found.units_a.tolist(),
        found.units_b.tolist(),
    )
    st.plotly_chart(finished(figure), key="unit-groups", width="stretch")
    note(
        f"{found.count} groups. Mean |correlation| between a unit of A and a unit of B: {found.within:.2f} inside groups, "
        f"{found.between:.2f} between groups."
    )
