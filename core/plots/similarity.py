"""The layer-by-layer heatmap: how alike every layer of one net is to every layer of another.

The customdata of a cell's square (see `core.plots.cells`) is "layer_a|layer_b".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from core.plots import room
from core.plots.axes import CLICKED
from core.plots.cells import add_cells, add_squares
from core.text import for_figure

_MOST_TEXT = 14
_CELL = 58


@dataclass(frozen=True, eq=False)
class HeatmapData:
    """What the heatmap shows.

    Attributes:
        ids_a, ids_b: layer ids of rows and columns.
        labels_a, labels_b: what a person reads.
        values: (rows, columns); NaN where there is no value.
        null_mean, null_sd: the same for shuffled samples.
        reasons: (row, column) -> why there is no value.
        units_a, units_b: units per layer.
        n: samples.
        low, high: bounds of the measure; infinite where there is none.
        distance: whether smaller is more alike.
        measure: its label.
    """

    ids_a: Sequence[str]
    ids_b: Sequence[str]
    labels_a: Sequence[str]
    labels_b: Sequence[str]
    values: NDArray[np.float64]
    null_mean: NDArray[np.float64]
    null_sd: NDArray[np.float64]
    reasons: Mapping[tuple[int, int], str]
    units_a: Sequence[int]
    units_b: Sequence[int]
    n: int
    low: float
    high: float
    distance: bool
    measure: str


def similarity_heatmap(
    data: HeatmapData, *, title_a: str, title_b: str, selected: tuple[str, str] | None = None
) -> go.Figure:
    """Rows are layers of A from the first (bottom) to the last (top), columns layers of B.

    Args:
        data: values and labels.
        title_a, title_b: names of the two nets, for the axes.
        selected: layer ids of the pair outlined when the figure appears.

    Returns:
        Traces: the values, crosses on blank where there is none, the squares that answer clicks.
    """
    figure = go.Figure()
    rows, columns = data.values.shape
    add_cells(
        figure,
        data.values,
        shown_bounds(data),
        measure=data.measure,
        distance=data.distance,
        cross=max(6, min(14, 200 // max(rows, columns, 1))),
        numbers=max(rows, columns) <= _MOST_TEXT,
    )
    add_squares(
        figure,
        data.values.shape,
        name="pairs of layers",
        size=max(10, min(34, 420 // max(rows, columns))),
        identity=lambda i, j: f"{data.ids_a[i]}|{data.ids_b[j]}",
        hover=lambda i, j: _hover(data, i, j),
        selected="|".join(selected) if selected else None,
    )
    axis = {"showgrid": False, "zeroline": False, "ticks": "", "fixedrange": True}
    figure.update_xaxes(
        axis,
        title={"text": f"Layers of B: {for_figure(title_b)}"},
        tickvals=list(range(columns)),
        ticktext=[for_figure(t) for t in data.labels_b],
        range=[-0.5, columns - 0.5],
    )
    figure.update_yaxes(
        axis,
        title={"text": f"Layers of A: {for_figure(title_a)}"},
        tickvals=list(range(rows)),
        ticktext=[for_figure(t) for t in data.labels_a],
        range=[-0.5, rows - 0.5],
    )
    figure.update_layout(
        height=int(min(max(130 + _CELL * rows, 380), 640)),
        margin={"l": room.left_of(data.labels_a), "r": 92, "t": 10, "b": room.BELOW},
        hovermode="closest",
        showlegend=False,
        **CLICKED,
    )
    return figure


def shown_bounds(data: HeatmapData) -> tuple[float, float]:
    """The measure's own range where it has one, so that two heatmaps can be compared by eye."""
    finite = data.values[np.isfinite(data.values)]
    # Similarities below zero are noise around it; an axis from minus infinity would flatten the rest.
    low = data.low if data.distance else max(0.0, data.low)
    high = data.high
    if not math.isfinite(low):
        low = float(finite.min()) if len(finite) else 0.0
    if not math.isfinite(high):
        high = float(finite.max()) if len(finite) else 1.0
    return (low, high) if high > low else (low, low + 1.0)


def _hover(data: HeatmapData, i: int, j: int) -> str:
    head = f"<b>A {for_figure(data.labels_a[i])}</b> ({data.units_a[i]} units) and <b>B {for_figure(data.labels_b[j])}</b> ({data.units_b[j]} units)"
    if reason := data.reasons.get((i, j)):
        return f"{head}<br>no value: {_wrapped(reason)}"
    null = f"{data.null_mean[i, j]:.3f} ± {data.null_sd[i, j]:.3f}" if np.isfinite(data.null_sd[i, j]) else ""
    shuffled = f"<br>shuffled samples: {null}" if null else ""
    return (
        f"{head}<br>{for_figure(data.measure)} <b>{data.values[i, j]:.3f}</b>{shuffled}<br>{data.n:,} samples"
    )


def _wrapped(text: str, width: int = 60) -> str:
    words, lines = for_figure(text, 400).split(), [""]
    for word in words:
        if len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "<br>".join(lines)
