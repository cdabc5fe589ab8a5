"""The front of quality and memory, with a slider over contexts that moves it while it is dragged.

The slider is Plotly's own: the fronts of all contexts are in the figure, and no server is asked. Every point carries the
number of its context behind its id, so that a click tells both. The axes stay where they are, so that one sees what moves.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.objectives.base import objective
from core.plots import style
from core.plots.axes import LAYOUT, hover, lay_out_axes
from core.plots.front import UNIFORM
from core.views.context_fronts import ContextFronts
from core.views.memory import MEMORY
from core.words import count_of, format_count

MOST_POINTS = 1_000
"""Points drawn besides the fronts: each of them once for every context."""
SEPARATOR = "|"
"""Between an id and the number of the context it was clicked at."""
MOVED = (0, 2, 3)
"""Which traces the slider changes: all but the front at the page's context."""


def context_figure(table: pd.DataFrame, fronts: ContextFronts) -> go.Figure:
    """Scatter of some subnets, the uniform sizes and the front at a context, and the front at the page's context.

    Args:
        table: the rows the fronts were made of, with `arch_id`.
        fronts: at every context.

    Returns:
        Traces "subnets", "front at N tokens" (the page's context, which does not move), "uniform sizes" and "front"; customdata
        is the id, a bar and the number of the context. One slider, whose steps change all but the second one.
    """
    x, y = objective(MEMORY), fronts.quality
    rows = np.unique(np.linspace(0, len(table) - 1, min(MOST_POINTS, len(table))).round().astype(int))
    parts = _Parts(table, fronts, rows)
    now = fronts.now
    figure = go.Figure()
    figure.add_scatter(
        name="subnets",
        **parts.at(rows, now),
        mode="markers",
        marker={"color": style.DOMINATED, "size": 4},
        hovertemplate=hover(x, y, "subnet"),
        showlegend=False,
        **_AS_IT_IS,
    )
    step = {"width": 1.6, "shape": "hv"}
    here = parts.at(fronts.members[now], now)
    figure.add_scatter(
        name=f"front at {count_of(fronts.setting.context, 'token')}",
        x=here["x"],
        y=here["y"],
        mode="lines",
        line={**step, "color": style.DOMINATED, "dash": "dot"},
        hoverinfo="skip",
    )
    figure.add_scatter(
        name=UNIFORM,
        **parts.at(fronts.uniform[now], now),
        mode="lines+markers",
        line={**step, "color": style.SEARCHED, "dash": "dash"},
        marker={"symbol": "square-open", "size": 11, "color": style.SEARCHED, "line": {"width": 2}},
        hovertemplate=hover(x, y, "uniform"),
        **_AS_IT_IS,
    )
    figure.add_scatter(
        name="front",
        **here,
        mode="lines+markers",
        line={**step, "color": style.FRONT},
        marker={"color": style.FRONT, "size": 8},
        hovertemplate=hover(x, y, "front"),
        **_AS_IT_IS,
    )
    lay_out_axes(figure, x, y, True, False)
    figure.update_xaxes(range=_range(parts))
    figure.update_layout(
        height=560,
        margin={"l": 8, "r": 12, "t": 36, "b": 132},
        **LAYOUT,
        sliders=[_slider(fronts, parts, rows)],
    )
    return figure


_AS_IT_IS: dict[str, Any] = {
    "selected": {"marker": {"color": style.SELECTED, "opacity": 1.0}},
    "unselected": {"marker": {"opacity": 1.0}},
}


class _Parts:
    """Drawn values of the table's rows at every context."""

    def __init__(self, table: pd.DataFrame, fronts: ContextFronts, rows: np.ndarray[Any, Any]) -> None:
        self.ids = table["arch_id"].to_numpy(object)
        self.x = fronts.memory * style.scale(objective(MEMORY)).factor
        self.y = table[fronts.quality.name].to_numpy(float) * style.scale(fronts.quality).factor
        self.rows = rows

    def at(self, rows: np.ndarray[Any, Any], number: int) -> dict[str, Any]:
        """Of some rows at one context."""
        return {
            "x": self.x[number, rows],
            "y": self.y[rows],
            "customdata": [f"{arch_id}{SEPARATOR}{number}" for arch_id in self.ids[rows]],
        }


def _range(parts: _Parts) -> list[float]:
    """Of the logarithm of memory over all contexts, with some room."""
    low, high = np.log10(parts.x[0].min()), np.log10(parts.x[-1].max())
    room = 0.03 * (high - low)
    return [float(low - room), float(high + room)]


def _slider(fronts: ContextFronts, parts: _Parts, rows: np.ndarray[Any, Any]) -> dict[str, Any]:
    steps = []
    for number, context in enumerate(fronts.contexts):
        moved = [parts.at(each, number) for each in (rows, fronts.uniform[number], fronts.members[number])]
        # Four digits are more than a pixel shows.
        arrays: dict[str, list[Any]] = {
            "x": [[float(f"{value:.4g}") for value in part["x"]] for part in moved],
            "y": [part["y"].tolist() for part in moved],
            "customdata": [part["customdata"] for part in moved],
            # Numbers of selected points would mean other subnets now.
            "selectedpoints": [None] * len(moved),
        }
        steps.append({"label": format_count(context), "method": "restyle", "args": [arrays, list(MOVED)]})
    return {
        "active": fronts.now,
        "steps": steps,
        "currentvalue": {"prefix": "Context (tokens):\u00a0", "font": {"size": 15}, "xanchor": "left"},
        "pad": {"t": 62, "b": 4},
        "len": 1.0,
        "activebgcolor": style.FRONT,
        "bordercolor": style.DOMINATED,
        "tickcolor": style.DOMINATED,
    }
