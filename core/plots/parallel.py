"""Parallel coordinates of which a server hears: lines over axes, drawn as a scatter chart.

Plotly's own parallel coordinates tell nobody what is brushed. Here a box drawn over an axis is a range on it,
and every crossing of a line with an axis carries the subnet's id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from core.plots import style
from core.plots.experiments import empty_figure
from core.text import for_figure
from core.views.brushes import Brush
from core.views.parallel import ABSENT, Axis, Parallel

MOST_LINES = 300
"""Lines of subnets off the front drawn at most."""
_SHIFTS = 9
_SHIFT = 0.022
_MANY = 24
"""Axes above which there is less room between them than their ticks take."""


def parallel_figure(
    view: Parallel, brushes: Sequence[Brush] = (), *, everything: bool = False, selected: str = ""
) -> go.Figure:
    """Every subnet a line; those within all ranges stand out.

    Args:
        view: axes and rows.
        brushes: ranges on the axes.
        everything: draw subnets off the front, too: at most 300 within the ranges.
        selected: id of the subnet that is drawn thick.

    Returns:
        Traces "outside" (the front's members outside a range), "subnets", "front", "selected", each where there is a
        line of it, and the texts of the ticks. Axis k stands at x = k; better objectives are higher.
    """
    if len(view.axes) < 2:
        return empty_figure("Fewer than two objectives and choices differ between these subnets.", 430)
    within = view.matching(brushes)
    figure = go.Figure()
    others = np.flatnonzero(within & ~view.on_front) if everything else np.zeros(0, np.int64)
    if len(others) > MOST_LINES:
        others = others[np.linspace(0, len(others) - 1, MOST_LINES).astype(int)]
    for name, rows, look in (
        ("outside", np.flatnonzero(~within & view.on_front), (style.DOMINATED, 1.0, 0.28)),
        ("subnets", others, (style.SEARCHED, 1.0, 0.4)),
        ("front", np.flatnonzero(within & view.on_front), (style.FRONT, 1.4, 0.75)),
        ("selected", np.flatnonzero(view.ids == selected), (style.SELECTED, 3.0, 0.9)),
    ):
        if len(rows):
            _add_lines(figure, view, rows, name=name, color=look[0], width=look[1], opacity=look[2])
    _add_ticks(figure, view)
    _lay_out(figure, view, brushes)
    return figure


def _add_lines(
    figure: go.Figure,
    view: Parallel,
    rows: NDArray[np.int64],
    *,
    name: str,
    color: str,
    width: float,
    opacity: float,
) -> None:
    heights = np.stack(
        [_shifted(axis.heights[rows], axis.objective is None, rows) for axis in view.axes], axis=1
    )
    gap = np.full((len(rows), 1), np.nan)
    places = np.concatenate(
        [np.broadcast_to(np.arange(len(view.axes), dtype=float), heights.shape), gap], axis=1
    )
    ids = np.repeat(view.ids[rows], len(view.axes) + 1).tolist()
    figure.add_scatter(
        name=name,
        x=places.ravel(),
        y=np.concatenate([heights, gap], axis=1).ravel(),
        customdata=ids,
        mode="lines+markers",
        line={"color": color, "width": width},
        marker={"color": color, "size": 5},
        opacity=opacity,
        selected={"marker": {"opacity": 1.0}},
        unselected={"marker": {"opacity": 1.0}},
        hovertemplate=f"%{{customdata}}<extra>{name}</extra>",
    )


def _shifted(heights: NDArray[np.float64], is_choice: bool, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Lines through one option side by side instead of on top of each other."""
    if not is_choice:
        return heights
    return heights + _SHIFT * ((rows % _SHIFTS) / (_SHIFTS - 1) - 0.5) * 2


def _add_ticks(figure: go.Figure, view: Parallel) -> None:
    crowded = len(view.axes) > _MANY
    places = [
        (k, height, text)
        for k, axis in enumerate(view.axes)
        for height, text in (_few(axis, k) if crowded else axis.ticks)
    ]
    figure.add_scatter(
        name="ticks",
        x=[k for k, _, _ in places],
        y=[height for _, height, _ in places],
        text=[for_figure(text, 14) + "\u2002" for _, _, text in places],
        mode="text",
        textposition="middle left",
        textfont={"size": 9 if crowded else 11},
        unselected={"textfont": {"color": style.DOMINATED}},
        hoverinfo="skip",
        showlegend=False,
    )


def _few(axis: Axis, place: int) -> list[tuple[float, str]]:
    """The ticks of an axis whose neighbors are close: of an objective the ends, on one of three lines; dashes for
    options that are not there."""
    if axis.objective is None:
        return [(height, text if height >= 0 else "–") for height, text in axis.ticks]
    ends = (min(axis.ticks), max(axis.ticks)) if axis.ticks else ()
    return [(height + 0.035 * (place % 3) * (1 if height < 0.5 else -1), text) for height, text in ends]


def _lay_out(figure: go.Figure, view: Parallel, brushes: Sequence[Brush]) -> None:
    n = len(view.axes)
    bottom = min(ABSENT if axis.heights.min(initial=0.0) < 0 else 0.0 for axis in view.axes)
    shapes: list[dict[str, Any]] = [
        {
            "type": "line",
            "x0": k,
            "x1": k,
            "y0": bottom,
            "y1": 1,
            "layer": "below",
            "line": {"color": style.DOMINATED, "width": 1},
        }
        for k in range(n)
    ]  # one per axis
    for brush in brushes:
        axis = view.axis(brush.name)
        if axis is not None:
            k, (low, high) = view.axes.index(axis), axis.heights_of(brush)
            shapes.append(
                {
                    "type": "rect",
                    "x0": k - 0.14,
                    "x1": k + 0.14,
                    "y0": low,
                    "y1": high,
                    "line": {"color": style.SELECTED, "width": 1.6},
                    "fillcolor": style.SELECTED,
                    "opacity": 0.3,
                }
            )
    labels = [for_figure(axis.label, 22) for axis in view.axes]
    # Free across: without an axis that moves there is no Pan, and only then a click is one.
    figure.update_xaxes(
        tickvals=list(range(n)),
        ticktext=labels,
        tickangle=-35,
        ticklabeloverflow="allow",
        side="top",
        range=[-0.75, n - 0.6],
        showgrid=False,
        zeroline=False,
        automargin=True,
    )
    figure.update_yaxes(visible=False, range=[bottom - 0.07, 1.06], fixedrange=True)
    figure.update_layout(
        height=520,
        margin={"l": 8, "r": 64, "t": 90, "b": 44},
        hovermode="closest",
        dragmode="select",
        shapes=shapes,
        legend={"orientation": "h", "x": 0, "y": 0, "yanchor": "top"},
    )
