"""Figures of mixing weights: the line between two networks, stage by stage, and the plane through three."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from core.plots import style
from core.text import for_figure

_COLORS = (style.SELECTED, style.FRONT, style.KNEE)


def barrier_figure(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    accuracy: bool,
    title_a: str,
    title_b: str,
) -> go.Figure:
    """Loss or accuracy along the line from A to B.

    Args:
        curves: name -> (t, values); losses in nats, accuracies as fractions.
        accuracy: whether the values are accuracies (drawn in percent).
        title_a, title_b: names of the ends.

    Returns:
        One trace per curve, and a dotted straight line between the ends of the first: what is above it
        (below, for accuracy) is the barrier.
    """
    figure = go.Figure()
    factor = 100.0 if accuracy else 1.0
    unit = " %" if accuracy else " nats"
    for index, (name, (t, values)) in enumerate(curves.items()):
        figure.add_scatter(
            x=list(t),
            y=[v * factor for v in values],
            mode="lines+markers",
            name=for_figure(name),
            line={"color": _COLORS[index % 3], "width": 2, "dash": style.DASHES[index % 4]},
            marker={"symbol": style.SYMBOLS[index % 6], "size": 6},
            hovertemplate="%{x:.2f} of B<br>%{y:.3f}" + unit + "<extra>" + for_figure(name) + "</extra>",
        )
    if curves:
        t, values = next(iter(curves.values()))
        figure.add_scatter(
            x=[t[0], t[-1]],
            y=[values[0] * factor, values[-1] * factor],
            mode="lines",
            name="no barrier",
            line={"color": style.DOMINATED, "dash": "dot", "width": 2},
            hoverinfo="skip",
        )
    figure.update_layout(
        height=400,
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        legend={"orientation": "h", "y": 1.14, "x": 0},
    )
    figure.update_xaxes(
        title={"text": "Share of B in the mixture"},
        tickvals=[0, 0.25, 0.5, 0.75, 1],
        ticktext=[f"A: {for_figure(title_a)}", "¼", "½", "¾", f"B: {for_figure(title_b)}"],
    )
    figure.update_yaxes(title={"text": "Accuracy (%)" if accuracy else "Loss (nats)"})
    return figure


def stage_figure(stages: Mapping[str, Sequence[float]], labels: Sequence[str]) -> go.Figure:
    """Barrier of the loss when only one stage is moved from A to B.

    Args:
        stages: matching -> one barrier per stage, in nats.
        labels: names of the stages.
    """
    figure = go.Figure()
    for index, (name, values) in enumerate(stages.items()):
        figure.add_bar(
            x=[for_figure(label) for label in labels],
            y=list(values),
            name=for_figure(name),
            marker={"color": _COLORS[index % 3], "pattern": {"shape": ("", "/", "x")[index % 3]}},
            hovertemplate="%{x}<br>%{y:.3f} nats<extra>" + for_figure(name) + "</extra>",
        )
    figure.update_layout(
        height=340,
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        barmode="group",
        legend={"orientation": "h", "y": 1.16, "x": 0},
    )
    figure.update_yaxes(title={"text": "Barrier (nats)"}, rangemode="tozero")
    return figure


def plane_figure(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    values: NDArray[np.float64],
    corners: NDArray[np.float64],
    *,
    accuracy: bool,
) -> go.Figure:
    """Loss or accuracy on the plane through three networks, which are marked A, B and C.

    Losses are drawn up to their 90th percentile: far from the networks they grow without bound.
    """
    shown = values * 100 if accuracy else np.minimum(values, np.nanpercentile(values, 90))
    figure = go.Figure()
    figure.add_contour(
        x=x,
        y=y,
        z=shown,
        colorscale="Cividis",
        reversescale=not accuracy,
        contours={"coloring": "heatmap"},
        line={"width": 0.5},
        colorbar={
            "title": {"text": "accuracy (%)" if accuracy else "loss (nats)", "side": "right"},
            "thickness": 12,
            "outlinewidth": 0,
        },
        hovertemplate="%{z:.2f}<extra></extra>",
        name="plane",
    )
    figure.add_scatter(
        x=corners[:, 0],
        y=corners[:, 1],
        mode="markers+text",
        text=["A", "B", "C"],
        textposition="top center",
        textfont={"size": 15, "color": style.SELECTED},
        name="networks",
        hoverinfo="skip",
        marker={"size": 11, "color": style.SELECTED, "line": {"width": 1.5, "color": "#ffffff"}},
    )
    figure.update_layout(height=460, margin={"l": 10, "r": 10, "t": 10, "b": 10}, showlegend=False)
    figure.update_xaxes(title={"text": "Along the line from A to B (1 is their distance)"})
    figure.update_yaxes(title={"text": "Across it, toward C"}, scaleanchor="x")
    return figure
