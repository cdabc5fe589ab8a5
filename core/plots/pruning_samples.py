"""One sample from near: its margin over sparsity, and the patches that hold it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from core.plots import style
from core.plots.experiments import COLORS, empty_figure, gaps
from core.text import for_figure
from core.words import format_tick

_SCALE = ((0.0, "#0072B2"), (0.5, "rgba(138,144,155,0)"), (1.0, "#D55E00"))


def margin_lines(
    methods: Sequence[str], sparsities: Sequence[float], values: NDArray[np.float64], *, parent: float
) -> go.Figure:
    """A sample's margin by share of weights removed, a line per method; below zero the answer is wrong.

    Args:
        methods: names.
        sparsities: ascending, without 0; equally spaced on the axis.
        values: (methods, sparsities) margins; NaN leaves a gap.
        parent: margin before pruning, where every line starts; NaN if unknown.

    Returns:
        One trace per method; the boundary is a shape.
    """
    if not len(methods):
        return empty_figure("No pruned network was evaluated on these images.", 320)
    figure = go.Figure()
    for k, method in enumerate(methods):
        name = for_figure(method)
        figure.add_scatter(
            x=list(range(len(sparsities) + 1)),
            y=gaps([parent, *values[k]]),
            mode="lines+markers",
            name=name,
            line={"color": COLORS[k % 12], "width": 2, "dash": style.DASHES[(k // 12) % 4]},
            marker={"symbol": style.SYMBOLS[(k // 8 + k) % 6], "size": 7},
            connectgaps=True,
            hovertemplate=f"{name}<br>%{{x}}<br>margin <b>%{{y:.3f}}</b><extra></extra>",
        )
    figure.add_hline(
        0,
        line={"color": style.DOMINATED, "width": 1.5, "dash": "dash"},
        annotation_text="decision boundary",
        annotation_position="bottom left",
    )
    figure.update_xaxes(
        tickvals=list(range(len(sparsities) + 1)),
        ticktext=["unpruned", *(format_tick(s) for s in sparsities)],
        zeroline=False,
        title={"text": "Share of weights removed"},
    )
    figure.update_yaxes(title={"text": "Margin"}, zeroline=False, automargin=True)
    figure.update_layout(
        height=340,
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        hovermode="closest",
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
    )
    return figure


def occlusion_figure(image: NDArray[np.float32], loss: NDArray[np.float64]) -> go.Figure:
    """An image under a map of what covering each patch costs its margin.

    Args:
        image: (c, h, w) pixels in [0, 1]; 1 channel is grey, the first 3 of more are color.
        loss: (rows, columns) margin lost per covered patch, negative where it grows.

    Returns:
        The image, then a heatmap over it.
    """
    c, height, width = image.shape
    pixels = np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)
    shown = np.repeat(pixels[:1], 3, axis=0) if c < 3 else pixels[:3]
    rows, columns = loss.shape
    reach = float(np.abs(loss[np.isfinite(loss)]).max()) if np.isfinite(loss).any() else 1.0
    figure = go.Figure()
    figure.add_image(z=np.moveaxis(shown, 0, 2), x0=0.5, y0=0.5, dx=1, dy=1, hoverinfo="skip", name="image")
    figure.add_heatmap(
        z=loss,
        x=[(k + 0.5) * width / columns for k in range(columns)],
        y=[(k + 0.5) * height / rows for k in range(rows)],
        zmin=-reach or -1.0,
        zmax=reach or 1.0,
        colorscale=[list(stop) for stop in _SCALE],
        opacity=0.75,
        name="loss",
        colorbar={"title": {"text": "margin lost", "side": "right"}, "thickness": 12, "outlinewidth": 0},
        hovertemplate="margin lost <b>%{z:.3f}</b><extra></extra>",
    )
    figure.update_xaxes(visible=False, range=[0, width], constrain="domain")
    figure.update_yaxes(visible=False, range=[height, 0], scaleanchor="x", constrain="domain")
    figure.update_layout(height=340, margin={"l": 10, "r": 10, "t": 10, "b": 10})
    return figure
