"""Pruned networks by benchmarks: what every network still gets right on clean, spoiled and attacked images.

Streamlit reports no click on a heatmap, so squares that cannot be seen until selected lie over the cells;
their customdata is "model id|benchmark".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from core import words
from core.over_seeds import Spread
from core.plots import room, style
from core.plots.axes import CLICKED
from core.plots.experiments import empty_figure
from core.plots.missing import add_crosses
from core.plots.numbers import CellColors, add_numbers
from core.text import for_figure

_ROW = 22
_LABEL_PX = 11
_STANDOFF = 4
LONGEST_LABEL = 38
"""Characters of a row's label; a longer one is cut, so whoever makes labels keeps what matters within it."""
_MOST_COLUMNS_WITH_TEXT = 24


@dataclass(frozen=True, eq=False)
class TableData:
    """What the table shows; the first row is the parent.

    Attributes:
        model_ids: one per row.
        row_labels: what a person reads.
        methods: name of the method per row; rows of a method stand together.
        benchmarks: ids of the columns.
        benchmark_labels: what a person reads.
        values: (rows, columns) accuracies as fractions; NaN where not measured.
        mean_errors: (rows,) mean corruption error, 1 is the reference; NaN where not measured.
        reasons: (row, column) -> why there is no value.
        spreads: (rows, columns) where values are means over seeds; empty where each row is one network.
    """

    model_ids: Sequence[str]
    row_labels: Sequence[str]
    methods: Sequence[str]
    benchmarks: Sequence[str]
    benchmark_labels: Sequence[str]
    values: NDArray[np.float64]
    mean_errors: NDArray[np.float64]
    reasons: Mapping[tuple[int, int], str] = field(default_factory=dict)
    spreads: Sequence[Sequence[Spread]] = ()


def evaluation_table(
    data: TableData, *, selected: tuple[str, str] | None = None, compared: str | None = None
) -> go.Figure:
    """Rows are networks, the parent on top; columns are benchmarks, then the mean corruption error (mCE).

    Args:
        data: values and labels.
        selected: (model id, benchmark) of the cell outlined when the figure appears.
        compared: model id whose label gets a marker.

    Returns:
        Traces: accuracies, crosses on blank where there is none, the same for mCE (where any was measured), and last the
        squares that answer clicks.
    """
    rows, columns = len(data.model_ids), len(data.benchmarks)
    if not rows or not columns:
        return empty_figure("No network has been evaluated yet.")
    figure = go.Figure()
    _accuracies(figure, data)
    measured = bool(np.isfinite(data.mean_errors).any())
    if measured:
        _mean_errors(figure, data)
    figure.add_trace(_clickable(data, selected))
    _separators(figure, data.methods)
    _axes(figure, data, compared, measured)
    figure.update_layout(
        height=int(min(max(120 + _ROW * rows, 300), 1100)),
        margin=_margins(data, compared),
        hovermode="closest",
        showlegend=False,
        **CLICKED,
    )
    return figure


def _accuracies(figure: go.Figure, data: TableData) -> None:
    rows, columns = data.values.shape
    places = {"x": list(range(columns)), "y": list(range(rows)), "hoverinfo": "skip", "xgap": 1, "ygap": 1}
    known = np.isfinite(data.values)
    figure.add_heatmap(
        z=data.values,
        zmin=0,
        zmax=1,
        colorscale="Cividis",
        name="accuracies",
        # Where the cells say their values, a scale beside them would only take their room.
        showscale=columns > _MOST_COLUMNS_WITH_TEXT,
        colorbar={
            "title": {"text": "accuracy", "side": "right"},
            "thickness": 10,
            "outlinewidth": 0,
            "tickvals": [0, 0.25, 0.5, 0.75, 1],
            "ticktext": ["0 %", "25 %", "50 %", "75 %", "100 %"],
            "len": 220,
            "lenmode": "pixels",
            "y": 1,
            "yanchor": "top",
        },
        **places,
    )
    add_crosses(figure, ~known)
    if columns <= _MOST_COLUMNS_WITH_TEXT:
        texts = [[_percent(v) for v in row] for row in data.values]
        add_numbers(figure, data.values, texts, CellColors(0, 1, "Cividis"))


def _percent(share: float) -> str:
    return f"{100 * share:.0f}" if math.isfinite(share) else ""


def _mean_errors(figure: go.Figure, data: TableData) -> None:
    """One more column, on its own reversed scale: a mean corruption error is no accuracy, and less is better."""
    known = np.isfinite(data.mean_errors)
    add_crosses(figure, ~known[:, None], xaxis="x2", yaxis="y")
    finite = data.mean_errors[known]
    texts = [_percent(v) for v in data.mean_errors]
    # A scale of one value has no ends.
    low, high = float(finite.min()), max(float(finite.max()), float(finite.min()) + 0.01)
    figure.add_heatmap(
        z=data.mean_errors[:, None],
        x=[0],
        y=list(range(len(texts))),
        xaxis="x2",
        yaxis="y",
        name="mCE",
        zmin=low,
        zmax=high,
        colorscale="Cividis",
        reversescale=True,
        showscale=False,
        xgap=1,
        ygap=1,
        hovertext=[
            [f"{for_figure(label)}<br>mCE <b>{t} %</b> of the reference's errors<br>less is better"]
            for label, t in zip(data.row_labels, texts, strict=True)
        ],
        hovertemplate="%{hovertext}<extra></extra>",
        hoverongaps=False,
    )
    colors = CellColors(low, high, "Cividis", reverse=True)
    add_numbers(figure, data.mean_errors[:, None], [[t] for t in texts], colors, xaxis="x2")


def _clickable(data: TableData, selected: tuple[str, str] | None) -> go.Scatter:
    rows, columns = data.values.shape
    places = [(i, j) for i in range(rows) for j in range(columns)]
    ids = [f"{data.model_ids[i]}|{data.benchmarks[j]}" for i, j in places]
    wanted = "|".join(selected) if selected else None
    return go.Scatter(
        x=[j for _, j in places],
        y=[i for i, _ in places],
        mode="markers",
        name="cells",
        customdata=[[i] for i in ids],
        hovertext=[_hover(data, i, j) for i, j in places],
        hovertemplate="%{hovertext}<extra></extra>",
        marker={
            "symbol": "square-open",
            "size": 18,
            "color": style.SELECTED,
            "line": {"width": 3},
            "opacity": 0,
        },
        selectedpoints=[ids.index(wanted)] if wanted in ids else None,
        selected={"marker": {"opacity": 1}},  # a color here would fill a clicked square
        unselected={"marker": {"opacity": 0}},
    )


def _hover(data: TableData, i: int, j: int) -> str:
    head = f"<b>{for_figure(data.row_labels[i])}</b><br>{for_figure(data.benchmark_labels[j])}"
    if i and data.methods[i] not in data.row_labels[i]:
        head = f"{head} · {for_figure(data.methods[i])}"
    value, parent = float(data.values[i, j]), float(data.values[0, j])
    if not math.isfinite(value):
        return f"{head}<br>{for_figure(data.reasons.get((i, j), 'not measured'), 200)}"
    head = f"{head}<br>accuracy <b>{100 * value:.1f} %</b>"
    if data.spreads and (over := data.spreads[i][j]).n > 1:
        head = (
            f"{head} (mean of {over.n} seeds)<br>{over.band}: {100 * over.low:.1f} to {100 * over.high:.1f} %"
        )
    if i == 0 or not math.isfinite(parent):
        return head
    change = 100 * (value - parent)
    sign = "+" if change > 0 else words.MINUS if change < 0 else "±"
    return f"{head}<br>{sign}{abs(change):.1f} points against the parent"


def _separators(figure: go.Figure, methods: Sequence[str]) -> None:
    for i in range(1, len(methods)):
        # A thick line sets the parent off, a thin one parts the methods.
        if i == 1 or methods[i] != methods[i - 1]:
            figure.add_shape(
                type="line",
                xref="paper",
                x0=0,
                x1=1,
                yref="y",
                y0=i - 0.5,
                y1=i - 0.5,
                line={"color": style.DOMINATED, "width": 3 if i == 1 else 1.5},
            )


def _axes(figure: go.Figure, data: TableData, compared: str | None, measured: bool) -> None:
    rows, columns = data.values.shape
    axis = {"showgrid": False, "zeroline": False, "ticks": "", "fixedrange": True}
    end = columns / (columns + 1.4) if measured else 1.0
    top = {"side": "top", "tickangle": -50, "tickfont": {"size": _LABEL_PX}}
    figure.update_layout(
        xaxis=axis
        | top
        | {
            "domain": [0, end],
            "tickvals": list(range(columns)),
            "range": [-0.5, columns - 0.5],
            "ticktext": [for_figure(t, 24) for t in data.benchmark_labels],
        },
        yaxis=axis
        | {
            "tickvals": list(range(rows)),
            "range": [rows - 0.5, -0.5],
            "tickfont": {"size": _LABEL_PX},
            "automargin": True,
            "ticklabelstandoff": _STANDOFF,
            "ticktext": [_row_label(data, i, compared) for i in range(rows)],
        },
    )
    if measured:
        figure.update_layout(
            xaxis2=axis
            | top
            | {
                "domain": [1 - 1 / (columns + 1.4), 1],
                "tickvals": [0],
                "ticktext": ["<b>mCE</b>"],
                "range": [-0.5, 0.5],
                "anchor": "y",
            }
        )


def _margins(data: TableData, compared: str | None) -> dict[str, int]:
    rows = [_row_label(data, i, compared) for i in range(len(data.model_ids))]
    left = room.left_of(rows, title=False, size=_LABEL_PX) + _STANDOFF
    above = room.above([for_figure(t, 24) for t in data.benchmark_labels], size=_LABEL_PX)
    return {"l": left, "r": 44, "t": above, "b": 10}


def _row_label(data: TableData, i: int, compared: str | None) -> str:
    label = for_figure(data.row_labels[i], LONGEST_LABEL)
    label = f"<b>{label}</b>" if i == 0 else label
    return f"◆ {label}" if compared is not None and data.model_ids[i] == compared else label
