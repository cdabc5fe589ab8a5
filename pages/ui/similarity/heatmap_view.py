"""The heatmap and the card of its selected cell."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING

import streamlit as st

from core.library.networks import ModelInfo
from core.plots.finished import finished
from core.plots.similarity import HeatmapData, similarity_heatmap
from core.similarity.base import MEASURES
from core.text import display_name, for_markdown
from core.views.compare_models import ModelComparison
from pages.ui import paper_figure
from pages.ui.selection import picked_on
from pages.ui.similarity import view_state

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from core.papers.base import Layout, PaperFigure

KEY = "similarity-heatmap"
_NOTICES = {
    "permutation": "the order of the units",
    "scale": "a common scale",
    "translation": "shifts",
    "orthogonal": "rotations",
    "invertible": "any invertible linear map",
}


def heatmap(key: str, comparison: ModelComparison, a: ModelInfo, b: ModelInfo) -> None:
    """Draw the heatmap; a click on a cell becomes the selected pair of layers."""
    start, edition = view_state.selection.start(KEY, (key, a.short, b.short)), view_state.selection.edition()
    st.plotly_chart(
        _figure(key, a.short, b.short, start, edition, comparison),
        key=KEY,
        on_select=_remember,
        selection_mode="points",
        width="stretch",
        alt="Heatmap: similarity of every layer of network A with every layer of network B; the choosers beside it select a cell too.",
        config={"displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d", "zoom2d", "pan2d"]},
    )


def _remember() -> None:
    if picked := picked_on(KEY):
        view_state.clicked(picked)


@st.cache_resource(show_spinner=False, max_entries=64)
def _figure(
    key: str,
    title_a: str,
    title_b: str,
    seed: tuple[str, str] | None,
    edition: int,
    _comparison: ModelComparison,
) -> go.Figure:
    return finished(
        similarity_heatmap(_data(_comparison), title_a=title_a, title_b=title_b, selected=seed), edition
    )


def _data(comparison: ModelComparison) -> HeatmapData:
    result, measure = comparison.result, MEASURES.get(comparison.question.measure)
    return HeatmapData(
        ids_a=result.layers_a,
        ids_b=result.layers_b,
        labels_a=[x.label for x in comparison.layers_a],
        labels_b=[x.label for x in comparison.layers_b],
        values=result.values,
        null_mean=result.null_mean,
        null_sd=result.null_sd,
        reasons=result.reasons,
        units_a=result.units_a,
        units_b=result.units_b,
        n=result.n[0],
        low=measure.low,
        high=measure.high,
        distance=measure.kind == "distance",
        measure=measure.label,
    )


def paper(comparison: ModelComparison, a: ModelInfo, b: ModelInfo) -> None:
    """The heatmap as a figure for a paper."""
    question, probe, n = comparison.question, comparison.probe, comparison.result.n[0]
    told = (
        f"{MEASURES.get(question.measure).label} between every layer of A ({a.title}) and every layer of B ({b.title}), "
        f"measured on {n:,} {probe.split} samples drawn with seed {probe.seed} ({probe.title}); features: {question.pooling}."
    )
    data = _data(comparison)

    def make(layout: Layout) -> PaperFigure:
        from core.papers.heatmap import heatmap_paper

        return heatmap_paper(data, layout, caption=told, title_a=a.short, title_b=b.short)

    paper_figure.popover("similarity", f"similarity-{question.measure}", make)


def cell_card(comparison: ModelComparison, layer_a: str, layer_b: str) -> None:
    """The selected pair in numbers, and how far to trust them."""
    result = comparison.result
    i, j = result.layers_a.index(layer_a), result.layers_b.index(layer_b)
    measure = MEASURES.get(comparison.question.measure)
    _choose_layers(comparison, layer_a, layer_b)
    if reason := result.reasons.get((i, j)):
        st.info(for_markdown(reason, 600), icon=":material/block:")
    else:
        value, null, spread = result.values[i, j], result.null_mean[i, j], result.null_sd[i, j]
        parts = [
            (f"{value:.3f}", measure.label),
            (f"{null:.3f} ± {spread:.3f}" if math.isfinite(spread) else "–", "shuffled samples"),
        ]
        cells = "".join(f"<div><b>{v}</b><span>{html.escape(t)}</span></div>" for v, t in parts)
        st.html(f'<div class="ps-headline">{cells}</div>')
        st.caption(_reading(float(value), float(null), float(spread), measure.kind == "distance"))
    sizes = f"{result.n[i]:,} samples, {result.units_a[i]} and {result.units_b[j]} units"
    st.html(
        f'<p class="ps-note">{sizes}; {html.escape(comparison.probe.title)}, {comparison.probe.split} samples.</p>'
    )
    with st.container(border=True):
        st.markdown(f"**What {for_markdown(measure.label)} ignores**: {for_markdown(measure.ignores, 400)}")
        st.markdown(f"**When to distrust it**: {for_markdown(measure.distrust, 400)}")
        st.caption(f"{_notices(measure)} {for_markdown(measure.source, 300)}")


def _reading(value: float, null: float, spread: float, distance: bool) -> str:
    """One sentence: does the value differ from what unrelated samples give?"""
    if not math.isfinite(spread):
        return ""
    above = (null - value) if distance else (value - null)
    if abs(above) <= 3 * spread:
        return "Not to be told from samples that do not belong together: by this measure these layers share nothing."
    if above < 0:
        return "Less alike than samples that do not belong together."
    return "More alike than chance: the second number is what the measure says when the samples do not belong together."


def _notices(measure: type) -> str:
    left, right = (
        ", ".join(text for name, text in _NOTICES.items() if name in side) or "nothing"
        for side in (measure.left, measure.right)  # type: ignore[attr-defined]
    )
    if left == right:
        return f"Does not notice: {left}."
    return f"Does not notice in A: {left}; in B: {right}."


def _choose_layers(comparison: ModelComparison, layer_a: str, layer_b: str) -> None:
    """The heatmap's twin for the keyboard."""
    columns = st.columns(2, gap="small")
    for column, key, label, layers, current in (
        (columns[0], "sim-layer-a", "Layer of A", comparison.layers_a, layer_a),
        (columns[1], "sim-layer-b", "Layer of B", comparison.layers_b, layer_b),
    ):
        names = {layer.layer_id: layer.label for layer in layers}
        st.session_state[key] = current
        with column:
            st.selectbox(
                label,
                list(names),
                format_func=lambda i, n=names: display_name(n[i]),
                key=key,
                on_change=_chosen,
            )


def _chosen() -> None:
    view_state.selection.chosen((st.session_state["sim-layer-a"], st.session_state["sim-layer-b"]))
