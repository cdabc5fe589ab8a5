"""A matrix of numbers as colors; what is not in use is dimmed and fenced off."""

from __future__ import annotations

import math

import numpy as np
import plotly.graph_objects as go

from core.lessons.charts import Heat
from core.plots import style
from core.plots.lessons.marks import label, lay_out
from core.plots.numbers import CellColors, add_numbers

_DIM = 0.16
_MOST_NUMBERS = 12
_MOST_NAMES = 32
_MOST_FENCE = 6000


def draw_heat(chart: Heat) -> go.Figure:
    """The first row on top. The cells in use keep their colors within a dark line; the others show through faintly."""
    figure = go.Figure()
    active = chart.active or tuple(tuple(True for _ in row) for row in chart.values)
    bounds = _bounds(chart)
    whole = all(all(row) for row in active)
    if not whole:
        _add(figure, chart, [[not each for each in row] for row in active], bounds, opacity=_DIM, bar=False)
    _add(figure, chart, [list(row) for row in active], bounds, opacity=1.0, bar=True)
    if not whole:
        _add_fence(figure, active)
    elif len(chart.values) <= _MOST_NUMBERS and max(map(len, chart.values), default=0) <= _MOST_NUMBERS:
        texts = [[f"{value:.2g}" for value in row] for row in chart.values]
        values = np.asarray(chart.values, dtype=np.float64)
        add_numbers(figure, values, texts, CellColors(*bounds, _scale(chart)), size=13)
    lay_out(figure, x_title=chart.x_title, y_title=chart.y_title)
    rows, columns = len(chart.values), max((len(row) for row in chart.values), default=0)
    _name(figure, chart, rows, columns)
    return figure


def _scale(chart: Heat) -> str:
    return "RdBu" if chart.diverging else "Cividis"


def _bounds(chart: Heat) -> tuple[float, float]:
    known = [value for row in chart.values for value in row if math.isfinite(value)]
    if not known:
        return 0.0, 1.0
    if chart.diverging:
        most = max(abs(min(known)), abs(max(known))) or 1.0
        return -most, most
    return min(known), max(known)


def _add(
    figure: go.Figure,
    chart: Heat,
    kept: list[list[bool]],
    bounds: tuple[float, float],
    *,
    opacity: float,
    bar: bool,
) -> None:
    values = [
        [value if keep and math.isfinite(value) else None for value, keep in zip(row, keeps, strict=True)]
        for row, keeps in zip(chart.values, kept, strict=True)
    ]
    unit = f" {label(chart.unit)}" if chart.unit else ""
    said = "row %{y}, column %{x}" if not chart.row_names else "%{y}, %{x}"
    figure.add_heatmap(
        z=values,
        zmin=bounds[0],
        zmax=bounds[1],
        colorscale=_scale(chart),
        opacity=opacity,
        showscale=bar,
        colorbar={"title": {"text": label(chart.unit)}, "thickness": 14, "len": 0.9},
        hoverongaps=False,
        hovertemplate=f"{said}: %{{z:.4~g}}{unit}<extra>{'in use' if bar else 'not in use'}</extra>",
        name="in use" if bar else "not in use",
    )


def _add_fence(figure: go.Figure, active: tuple[tuple[bool, ...], ...]) -> None:
    """A line between what is in use and what is not."""
    x: list[float | None] = []
    y: list[float | None] = []
    rows, columns = len(active), max((len(row) for row in active), default=0)

    def used(row: int, column: int) -> bool:
        return 0 <= row < rows and 0 <= column < columns and active[row][column]

    for row in range(rows + 1):
        for column in range(columns + 1):
            if column < columns and used(row, column) != used(row - 1, column):
                x += [column - 0.5, column + 0.5, None]
                y += [row - 0.5, row - 0.5, None]
            if row < rows and used(row, column) != used(row, column - 1):
                x += [column - 0.5, column - 0.5, None]
                y += [row - 0.5, row + 0.5, None]
    if len(x) > 3 * _MOST_FENCE:
        return
    figure.add_scatter(
        name="in use (within the line)",
        x=x,
        y=y,
        mode="lines",
        line={"color": style.SELECTED, "width": 2.4},
        hoverinfo="skip",
        showlegend=True,
    )


def _name(figure: go.Figure, chart: Heat, rows: int, columns: int) -> None:
    """Names where there is room for them; the first row on top."""
    for update, names, n in (
        (figure.update_xaxes, chart.column_names, columns),
        (figure.update_yaxes, chart.row_names, rows),
    ):
        shown = bool(names) and n <= _MOST_NAMES
        update(
            showgrid=False,
            tickmode="array" if names else None,
            tickvals=list(range(n)) if shown else None,
            ticktext=[label(name) for name in names] if shown else None,
            showticklabels=shown,
            ticks="outside" if shown else "",
        )
    figure.update_xaxes(range=[-0.6, columns - 0.4])
    figure.update_yaxes(range=[rows - 0.4, -0.6])
