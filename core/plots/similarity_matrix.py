"""How alike many networks are: a square heatmap, a row and a column per network.

The customdata of a cell's square (see `core.plots.cells`) is "id A|id B".
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from core.plots.axes import CLICKED
from core.plots.cells import add_cells, add_squares
from core.plots.experiments import empty_figure
from core.text import for_figure

_MOST_TEXT = 12
_LEAST_CELL, _MOST_CELL = 17, 44
_LEAST_WITHIN = 0.02
_LARGEST_OUTLINE = 22

_CAPTION = 80
"""Letters in a line of the caption: no wider than the smallest drawing."""


@dataclass(frozen=True, eq=False)
class MatrixData:
    """What the matrix shows, in the order shown.

    Attributes:
        ids: of the networks.
        names: what a person reads on the axes.
        titles: the same in full.
        values: (n, n), row A against column B; NaN where there is no value.
        reasons: (row, column) -> why there is none.
        low, high: bounds of the measure; infinite where there is none.
        distance: whether smaller is more alike.
        measure: its label.
    """

    ids: Sequence[str]
    names: Sequence[str]
    titles: Sequence[str]
    values: NDArray[np.float64]
    reasons: Mapping[tuple[int, int], str]
    low: float
    high: float
    distance: bool
    measure: str


def matrix_figure(data: MatrixData, *, caption: str = "") -> go.Figure:
    """The first network stands on top and on the left.

    The scale spans what the pairs of different networks say, so that small differences are seen; its ends are written
    beside it.

    Returns:
        Traces: the values, crosses on blank where there is none, numbers of up to twelve networks, the squares that
        answer clicks.
    """
    n = len(data.ids)
    if not n:
        return empty_figure("No network has been compared yet.")
    figure = go.Figure()
    cell = int(max(_LEAST_CELL, min(_MOST_CELL, 560 // n)))
    add_cells(
        figure,
        data.values,
        _bounds(data),
        measure=data.measure,
        distance=data.distance,
        cross=max(6, cell // 2),
        numbers=n <= _MOST_TEXT,
    )
    add_squares(
        figure,
        data.values.shape,
        name="pairs of networks",
        size=min(max(10, cell - 4), _LARGEST_OUTLINE),
        identity=lambda i, j: f"{data.ids[i]}|{data.ids[j]}",
        hover=lambda i, j: _hover(data, i, j),
    )
    axis = {"showgrid": False, "zeroline": False, "ticks": "", "fixedrange": True, "automargin": True}
    names = [for_figure(name) for name in data.names]
    ticks = {"tickvals": list(range(n)), "ticktext": names, "tickfont": {"size": 11 if n <= 25 else 10}}
    figure.update_xaxes(axis | ticks, tickangle=-60, side="top", range=[-0.5, n - 0.5])
    figure.update_yaxes(axis | ticks, range=[n - 0.5, -0.5])
    figure.update_layout(
        height=cell * n + 210 + (54 if caption else 0),
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        hovermode="closest",
        showlegend=False,
        **CLICKED,
    )
    if caption:
        figure.add_annotation(
            text="<br>".join(textwrap.wrap(caption, _CAPTION)),
            xref="paper",
            yref="paper",
            x=0,
            y=0,
            xanchor="left",
            yanchor="top",
            yshift=-8,
            showarrow=False,
            align="left",
            font={"size": 11},
        )
        figure.update_layout(margin={"b": 62})
    return figure


def _bounds(data: MatrixData) -> tuple[float, float]:
    """What the pairs of different networks span, within the measure's own range."""
    apart = data.values[~np.eye(len(data.values), dtype=bool)]
    known = apart[np.isfinite(apart)]
    if not len(known):
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    if high - low < _LEAST_WITHIN:
        # A difference in the third decimal must not look like the whole scale.
        middle = (low + high) / 2
        low, high = middle - _LEAST_WITHIN / 2, middle + _LEAST_WITHIN / 2
    # A bound of the measure is not passed; one that is infinite bounds nothing.
    return max(low, data.low), min(high, data.high)


def _hover(data: MatrixData, i: int, j: int) -> str:
    head = f"A <b>{for_figure(data.titles[i])}</b><br>B <b>{for_figure(data.titles[j])}</b>"
    if not math.isfinite(data.values[i, j]):
        return f"{head}<br>no value: {for_figure(data.reasons.get((i, j), 'not measured'), 160)}"
    return f"{head}<br>{for_figure(data.measure)} <b>{data.values[i, j]:.3f}</b>"
