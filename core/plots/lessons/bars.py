"""Bars side by side, with whiskers; what is not revealed keeps its place."""

from __future__ import annotations

import plotly.graph_objects as go

from core.lessons.charts import Bars
from core.plots import style
from core.plots.lessons.marks import label, lay_out

_PATTERNS = ("", "/", ".", "x", "\\", "+")


def draw_bars(chart: Bars) -> go.Figure:
    """A group of bars per place. A hidden series stands there as question marks: no value of it is in the figure."""
    figure = go.Figure()
    names = [label(name) for name in chart.names]
    for index, (series, values) in enumerate(chart.series.items()):
        hidden = series in chart.hidden
        known = [0.0] * len(names) if hidden else list(values)
        low, high = chart.low.get(series, ()), chart.high.get(series, ())
        whiskers = None
        if low and high and not hidden:
            whiskers = {
                "type": "data",
                "symmetric": False,
                "array": [top - value for top, value in zip(high, values, strict=True)],
                "arrayminus": [value - bottom for bottom, value in zip(low, values, strict=True)],
                "thickness": 2,
                "color": style.DOMINATED,
            }
        figure.add_bar(
            name=f"{label(series)} (not revealed yet)" if hidden else label(series),
            x=names,
            y=known,
            error_y=whiskers,
            text=["?"] * len(names) if hidden else None,
            textposition="outside" if hidden else None,
            textfont={"size": 20} if hidden else None,
            marker={
                "color": style.CATEGORICAL[index % len(style.CATEGORICAL)],
                "pattern": {
                    "shape": _PATTERNS[index % len(_PATTERNS)],
                    "solidity": 0.22,
                    "fillmode": "overlay",
                    "fgcolor": "#FFFFFF",
                },
            },
            hoverinfo="skip" if hidden else None,
            hovertemplate=None if hidden else f"%{{x}}: %{{y:.4~g}}<extra>{label(series)}</extra>",
        )
    lay_out(figure, x_title=chart.x_title, y_title=chart.y_title)
    # Names of places are no numbers, even where they look so.
    figure.update_xaxes(type="category", categoryorder="array", categoryarray=names)
    figure.update_yaxes(tickformat="~g")
    figure.update_layout(barmode="group", bargap=0.25)
    return figure
