"""By sparsity: accuracy before and after fine-tuning, and neural collapse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.plots.finished import finished
from core.plots.pruning_collapse import PANELS, accuracy_curves, collapse_by_sparsity
from core.views.pruning_seeds import SparsityLines, sparsity_lines
from pages.ui import paper_figure, terms
from pages.ui.pruning import view_state
from pages.ui.pruning.shown import Shown
from pages.ui.selection import picked_on
from pages.ui.setup import note

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from core.papers.base import Layout, PaperFigure

_CURVES, _COLLAPSE = "pruning-curves", "pruning-collapse"


def accuracy(shown: Shown) -> None:
    """Accuracy of every method by share of weights removed; a click selects that network."""
    terms.caption(
        "Solid: after fine-tuning (or as the method trained it). Dotted: straight after pruning. Click a point to select that network."
    )
    found = sparsity_lines(shown.view, shown.models, ("accuracy", "zero_shot"), apart=shown.apart)
    if not found.labels:
        st.info("No pruned network is shown; choose some under Rows.", icon=":material/filter_list:")
        return
    st.plotly_chart(
        _curves(_key(shown), view_state.selection.start(_CURVES, _key(shown)), found),
        key=_CURVES,
        on_select=lambda: _remember(_CURVES),
        width="stretch",
        selection_mode="points",
        config={"displaylogo": False},
        alt="Accuracy by share of weights removed, a line per method.",
    )
    _paper(shown, found)
    note(
        "Validation accuracy; removed weights are counted over all convolution and linear layers, cut out or held at zero. "
        + _about_seeds(found, "accuracy")
    )


def _paper(shown: Shown, found: SparsityLines) -> None:
    """The curves as a figure for a paper."""
    parent, before = shown.view.parent, found.parent["accuracy"]
    told = (
        f"Accuracy of networks pruned from {parent.arch_id} of {shown.view.entry.title}, by the share of its weights "
        "that was removed; measured on validation data after fine-tuning, or as the method trained it. "
        + _lines_are(found, "accuracy")
    )

    def make(layout: Layout) -> PaperFigure:
        from core.papers.curves import Curve, curves_paper

        lines = []
        for name, band in zip(found.labels, found.bands["accuracy"], strict=True):
            known = [k for k, value in enumerate(band.mean) if value == value]
            # A band through a place with one seed closes there: it has no spread to show.
            low, high = (
                [100 * (side[k] if side[k] == side[k] else band.mean[k]) for k in known]
                for side in (band.low, band.high)
            )
            several = band.n > 1
            lines.append(
                Curve(
                    f"{name}, n = {band.n}",
                    [100 * found.sparsities[k] for k in known],
                    [100 * band.mean[k] for k in known],
                    low if several else (),
                    high if several else (),
                )
            )
        return curves_paper(
            lines,
            layout,
            caption=told,
            title="Accuracy by sparsity",
            across="Weights removed (%)",
            up="Validation accuracy (%)",
            ceiling=100 * before,
            ceiling_name="before pruning",
        )

    paper_figure.popover("pruning", f"pruning-{parent.arch_id}", make)


def collapse(shown: Shown) -> None:
    """Neural collapse on training samples by share of weights removed."""
    terms.caption(
        "Trained long enough, a network pulls each class into one point and spreads the points evenly: every measure is 0 then. "
        "Does pruning undo it?"
    )
    found = sparsity_lines(shown.view, shown.models, tuple(PANELS), apart=shown.apart)
    if not found.labels:
        st.info("No pruned network is shown; choose some under Rows.", icon=":material/filter_list:")
        return
    st.plotly_chart(
        _collapse(_key(shown), found),
        key=_COLLAPSE,
        on_select=lambda: _remember(_COLLAPSE),
        width="stretch",
        selection_mode="points",
        config={"displaylogo": False},
        alt="Four measures of neural collapse by share of weights removed.",
    )
    note(
        "On up to a thousand training samples. A gap: two class means coincide there, so nothing of it is defined. At this scale collapse is "
        "partial already before pruning; compare with the parent's dashed line, not with 0. "
        + _about_seeds(found, next(iter(PANELS)))
    )


def _about_seeds(found: SparsityLines, name: str) -> str:
    """What a line and its band are, how many seeds stand behind them, and what a click does."""
    if max(band.n for band in found.bands[name]) == 1:
        return (
            "One seed per line (n = 1): prune with other seeds before believing a difference of a few points."
        )
    return f"{_lines_are(found, name)} A click selects the network of the lowest seed."


def _lines_are(found: SparsityLines, name: str) -> str:
    counts = sorted({band.n for band in found.bands[name]})
    if counts[-1] == 1:
        return "One seed per line (n = 1)."
    kinds = " or ".join(dict.fromkeys(band.band for band in found.bands[name] if band.band))
    n = " to ".join(dict.fromkeys((str(counts[0]), str(counts[-1]))))
    return f"Line: mean over the seeds (n = {n}); band: {kinds}."


def _key(shown: Shown) -> str:
    return f"{shown.view.key}|{'/'.join(m.model_id for m in shown.models)}|{shown.apart}"


@st.cache_resource(show_spinner=False, max_entries=16)
def _curves(key: str, selected: tuple[str, str] | None, _found: SparsityLines) -> go.Figure:
    figure = accuracy_curves(
        _found.labels,
        _found.sparsities,
        _found.means("zero_shot"),
        _found.means("accuracy"),
        _found.parent["accuracy"],
        ids=_found.ids,
        selected=selected[0] if selected else None,
        bands=_found.bands["accuracy"],
    )
    return finished(figure)


@st.cache_resource(show_spinner=False, max_entries=16)
def _collapse(key: str, _found: SparsityLines) -> go.Figure:
    return finished(
        collapse_by_sparsity(
            _found.labels,
            _found.sparsities,
            {name: _found.means(name) for name in _found.bands},
            _found.parent,
            ids=_found.ids,
            bands=_found.bands,
        )
    )


def _remember(key: str) -> None:
    if picked := picked_on(key):
        view_state.selection.select((picked, view_state.selection.now()[1]))
