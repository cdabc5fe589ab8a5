"""What charts of two objectives share: drawn values, axes, hover texts, and which rows are drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core import words
from core.plots import style
from core.records import Objective
from core.text import for_figure

# Width of a chart in a window of 800 pixels: legends have one row where they are wider.
_NARROW = 540


def drawn(rows: pd.DataFrame, objective: Objective) -> np.ndarray[Any, Any]:
    """(n,) values as an axis shows them."""
    return rows[objective.name].to_numpy(float) * style.scale(objective).factor


def drawable(table: pd.DataFrame, x: Objective, y: Objective, log_x: bool, log_y: bool) -> pd.DataFrame:
    """Rows with a finite value on both axes, above 0 on a logarithmic one."""
    keep = np.isfinite(table[x.name].to_numpy(float)) & np.isfinite(table[y.name].to_numpy(float))
    for logarithmic, objective in ((log_x, x), (log_y, y)):
        if logarithmic:
            keep &= table[objective.name].to_numpy(float) > 0
    return table[keep]


def thin(rows: pd.DataFrame, limit: int) -> pd.DataFrame:
    """Every k-th row, so that the cloud keeps its outline and the picture stays the same."""
    if len(rows) <= max(limit, 0):
        return rows
    return rows.iloc[np.linspace(0, len(rows) - 1, max(limit, 1)).astype(int)]


def hover(x: Objective, y: Objective, first: str) -> str:
    """Hover template: both values with their units, and what kind of point it is."""

    def part(axis: str, objective: Objective) -> str:
        scale = style.scale(objective)
        return f"{for_figure(objective.label)} %{{{axis}:{scale.hover}}}{scale.suffix}"

    return f"{part('y', y)}<br>{part('x', x)}<extra>{first}</extra>"


def lay_out_axes(figure: go.Figure, x: Objective, y: Objective, log_x: bool, log_y: bool) -> None:
    """Titles with units and the better direction, scales and ticks."""
    for update, objective, logarithmic in ((figure.update_xaxes, x, log_x), (figure.update_yaxes, y, log_y)):
        scale = style.scale(objective)
        update(
            title={"text": for_figure(words.axis_title(objective)), "font": {"size": 14}},
            type="log" if logarithmic else "linear",
            # 1, 2, 5, 10: every digit would overlap.
            dtick="D2" if logarithmic else None,
            tickformat=scale.tick,
            ticksuffix=scale.suffix if not logarithmic else "",
            zeroline=False,
            automargin=True,
            ticks="outside",
            ticklen=4,
        )


def room_above(figure: go.Figure) -> int:
    """Pixels above a chart for its buttons and, below them, its legend, which takes several rows where names are long."""
    names = {str(t.legendgroup or t.name): len(str(t.name)) for t in figure.data if t.showlegend is not False}
    widest = 46 + 6.5 * max(names.values(), default=0)
    rows = math.ceil(len(names) / max(1, int(_NARROW / widest)))
    return 44 + 20 * max(rows, 1)


LAYOUT: Mapping[str, Any] = {
    "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "itemsizing": "constant"},
    "hovermode": "closest",
    "dragmode": "pan",
}
"""Of every chart of two objectives, beside its height and margins."""
CLICKED: Mapping[str, Any] = {"clickmode": "event+select", "dragmode": "pan"}
"""Of a chart whose points or cells are clicked, as Streamlit would set it after the first drawing: so there is no second."""
