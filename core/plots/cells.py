"""A heatmap whose cells can be clicked and read: values, crosses where there is none, numbers, squares that answer.

Streamlit reports no click on a heatmap, so a scatter of outlined squares that cannot be seen until selected
lies over it. Bright always means alike, whichever way the measure runs.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from core.plots import style
from core.plots.missing import add_crosses
from core.plots.numbers import CellColors, add_numbers
from core.text import for_figure

_SCALE = "Cividis"


def add_cells(
    figure: go.Figure,
    values: NDArray[np.float64],
    bounds: tuple[float, float],
    *,
    measure: str,
    distance: bool,
    cross: float,
    numbers: bool,
) -> None:
    """The values, a cross on blank where there is none, and numbers if there is room.

    Args:
        figure: drawn into.
        values: (rows, columns); NaN where there is no value.
        bounds: ends of the color scale.
        measure: label of the color bar.
        distance: whether smaller is more alike.
        cross: size of a cross, in pixels.
        numbers: whether the cells carry theirs.
    """
    rows, columns = values.shape
    figure.add_heatmap(
        z=values,
        x=list(range(columns)),
        y=list(range(rows)),
        zmin=bounds[0],
        zmax=bounds[1],
        colorscale=_SCALE,
        reversescale=distance,
        hoverinfo="skip",
        xgap=1,
        ygap=1,
        name="values",
        colorbar={
            "title": {"text": for_figure(measure), "side": "right"},
            "thickness": 12,
            "outlinewidth": 0,
        },
    )
    add_crosses(figure, ~np.isfinite(values), size=cross)
    if numbers:
        texts = [[f"{v:.2f}" for v in row] for row in values]
        add_numbers(figure, values, texts, CellColors(*bounds, _SCALE, distance), size=11)


def add_squares(
    figure: go.Figure,
    shape: tuple[int, ...],
    *,
    name: str,
    size: float,
    identity: Callable[[int, int], str],
    hover: Callable[[int, int], str],
    selected: str | None = None,
) -> None:
    """A square over every cell, outlined when it is selected; its customdata is the cell's id.

    Args:
        figure: drawn into.
        shape: (rows, columns).
        name: of the trace.
        size: of a square, in pixels.
        identity, hover: (row, column) -> id and what is said there.
        selected: id of the square that is outlined when the figure appears.
    """
    places = [(i, j) for i in range(shape[0]) for j in range(shape[1])]
    ids = [identity(i, j) for i, j in places]
    figure.add_scatter(
        x=[j for _, j in places],
        y=[i for i, _ in places],
        mode="markers",
        name=name,
        customdata=[[each] for each in ids],
        hovertext=[hover(i, j) for i, j in places],
        hovertemplate="%{hovertext}<extra></extra>",
        marker={
            "symbol": "square-open",
            "size": size,
            "color": style.SELECTED,
            "line": {"width": 3},
            "opacity": 0,
        },
        selectedpoints=[ids.index(selected)] if selected in ids else None,
        selected={"marker": {"opacity": 1}},  # a color here would fill a clicked square
        unselected={"marker": {"opacity": 0}},
    )
