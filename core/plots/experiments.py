"""Curves of an experiment: a line per condition with the spread of its seeds; and the figure that shows nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from core.plots import style
from core.text import for_figure

COLORS = (*style.CATEGORICAL, "#7A6FE0", "#C2506A", "#1F8E9E", "#9C6B3F")
"""Twelve colors for what has too many values for eight; a shape or a place repeats them."""


_MOST_MARKERS = 30


def empty_figure(text: str, height: int = 300) -> go.Figure:
    """A figure without data that says why.

    Args:
        text: one sentence.
        height: in pixels.
    """
    figure = go.Figure()
    figure.add_annotation(
        text=for_figure(text, 200),
        x=0.5,
        y=0.5,
        xref="paper",
        yref="paper",
        showarrow=False,
        font={"size": 14},
    )
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    figure.update_layout(height=height, margin={"l": 10, "r": 10, "t": 10, "b": 10})
    return figure


def gaps(values: ArrayLike) -> list[float | None]:
    """Numbers for a trace; what is not finite becomes a gap."""
    return [float(v) if math.isfinite(v) else None for v in np.asarray(values, float).ravel()]


def experiment_curves(
    conditions: Sequence[str], x: Sequence[ArrayLike], mean: Sequence[ArrayLike], low: Sequence[ArrayLike],
    high: Sequence[ArrayLike], *, x_label: str, y_label: str, percent: bool = False, reached: float | None = None,
) -> go.Figure:  # fmt: skip
    """A line per condition through the mean of its seeds, over a band from the lowest to the highest seed.

    Args:
        conditions: names.
        x: where each condition was measured.
        mean, low, high: over the seeds, one array per condition; NaN leaves a gap.
        x_label, y_label: axis texts.
        percent: the values are shares and are drawn in percent.
        reached: a level drawn as a dotted line.

    Returns:
        Two traces per condition: its band, then its line with customdata [[condition], ...].
    """
    if not any(np.isfinite(np.asarray(m, float)).any() for m in mean):
        return empty_figure("No result yet.", 420)
    factor = 100.0 if percent else 1.0
    every = np.concatenate([np.asarray(v, float) for v in x])
    shares = bool(every.max() <= 1)
    figure = go.Figure()
    for k, condition in enumerate(conditions):
        name, color = for_figure(condition), COLORS[k % 12]
        at, middle, bottom, top = (np.asarray(v[k], float) for v in (x, mean, low, high))
        at = at * (100.0 if shares else 1.0)
        around_x, around_y = _band(at, bottom * factor, top * factor)
        figure.add_scatter(
            x=around_x, y=around_y, mode="lines", fill="toself", fillcolor=_faint(color), line={"width": 0}, name=name,
            legendgroup=str(k), showlegend=False, hoverinfo="skip",
        )  # fmt: skip
        span = [f"{b:.4g} to {t:.4g}" for b, t in zip(bottom * factor, top * factor, strict=True)]
        figure.add_scatter(
            x=gaps(at),
            y=gaps(middle * factor),
            mode="lines+markers" if len(at) <= _MOST_MARKERS else "lines",
            name=name,
            legendgroup=str(k),
            customdata=[[str(condition)] for _ in at],
            hovertext=span,
            hovertemplate=f"{name}<br>{for_figure(x_label)} %{{x}}<br><b>%{{y:.4g}}{' %' if percent else ''}</b> (seeds %{{hovertext}})<extra></extra>",
            line={"color": color, "width": 2, "dash": style.DASHES[(k // 12) % 4]},
            marker={"symbol": style.SYMBOLS[(k // 12 + k) % 6], "size": 8, "color": color},
            selected={"marker": {"size": 12}},
            unselected={"marker": {"opacity": 0.6}},
        )
    if reached is not None and math.isfinite(reached):
        figure.add_hline(
            reached * factor,
            line={"color": style.DOMINATED, "dash": "dot", "width": 1.5},
            annotation_text=f"{reached * factor:.4g}{' %' if percent else ''}",
            annotation_position="top left",
        )
    # Tasks and rounds are counted: there is no task 1.5.
    counted = not shares and len(np.unique(every)) <= 20 and bool((every == np.round(every)).all())
    figure.update_xaxes(
        title={"text": for_figure(x_label)},
        zeroline=False,
        ticksuffix=" %" if shares else "",
        tickvals=np.unique(every).tolist() if counted else None,
    )
    figure.update_yaxes(
        title={"text": for_figure(y_label)},
        zeroline=False,
        ticksuffix=" %" if percent else "",
        automargin=True,
    )
    figure.update_layout(
        height=420,
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        hovermode="closest",
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
    )
    return figure


def _band(
    x: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> tuple[list[float | None], list[float | None]]:
    """One closed outline per stretch without a gap; a gap inside an outline would be filled over."""
    known = np.isfinite(low) & np.isfinite(high)
    outline_x: list[float | None] = []
    outline_y: list[float | None] = []
    for rows in np.split(np.arange(len(x)), np.flatnonzero(np.diff(known)) + 1):
        if len(rows) and known[rows[0]]:
            outline_x += [*x[rows].tolist(), *x[rows][::-1].tolist(), None]
            outline_y += [*high[rows].tolist(), *low[rows][::-1].tolist(), None]
    return outline_x, outline_y


def _faint(color: str) -> str:
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.18)"
