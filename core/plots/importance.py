"""What each choice explains of each objective, which pairs matter together, and which options a front shares."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from core.plots import style
from core.plots.numbers import CellColors, add_numbers
from core.text import for_figure
from core.views.importance import ImportanceView, SharedOption
from core.words import format_share

_SCALE = "Cividis"
_ROW = 26


def importance_figure(view: ImportanceView) -> go.Figure:
    """Shares of the variance: choices downwards, objectives across; the last two rows are pairs and what is left.

    Returns:
        A heatmap "shares" and its numbers; every column adds up to 1.
    """
    names = [*view.found[0].names, "two choices together", "three and more"]
    together = [[each.pairs.sum() / 2 for each in view.found], [each.rest for each in view.found]]
    values = np.concatenate([view.main, np.array(together)])
    figure = _cells(values, names, [goal.label for goal in view.goals], top=80)
    # What is no single choice stands apart.
    figure.add_hline(y=len(names) - 2.5, line={"color": style.SELECTED, "width": 2})
    return figure


def pairs_figure(view: ImportanceView, name: str) -> go.Figure:
    """Shares of one objective's variance that two choices explain together, beyond what each explains alone.

    Returns:
        A heatmap "shares" of the lower half, and its numbers.
    """
    found = view.of(name)
    lower = np.tril(np.ones_like(found.pairs, bool), -1)
    values = np.where(lower, found.pairs, np.nan)[1:, :-1]
    return _cells(values, list(found.names[1:]), list(found.names[:-1]), top=80)


def _cells(values: NDArray[np.float64], rows: list[str], columns: list[str], *, top: int) -> go.Figure:
    high = float(np.nanmax(values)) or 1.0
    figure = go.Figure()
    figure.add_heatmap(
        name="shares",
        z=values,
        x=list(range(len(columns))),
        y=list(range(len(rows))),
        zmin=0.0,
        zmax=high,
        colorscale=_SCALE,
        showscale=False,
        xgap=1,
        ygap=1,
        hoverongaps=False,
        customdata=np.array([[format_share(v, 1) for v in row] for row in values], object),
        text=np.array([[f"{for_figure(r)} · {for_figure(c)}" for c in columns] for r in rows], object),
        hovertemplate="%{text}<br>%{customdata} of the variance<extra></extra>",
    )
    texts = [
        ["" if not np.isfinite(v) else "<1" if 0 < v < 0.005 else f"{100 * v:.0f}" for v in row]
        for row in values
    ]
    add_numbers(figure, values, texts, CellColors(0.0, high, _SCALE), size=11)
    axis = {"showgrid": False, "zeroline": False, "ticks": "", "fixedrange": True, "automargin": True}
    figure.update_xaxes(
        axis | {"tickvals": list(range(len(columns))), "ticktext": [for_figure(c, 24) for c in columns]},
        side="top",
        tickangle=-35,
        ticklabeloverflow="allow",
        range=[-0.5, len(columns) - 0.5],
    )
    figure.update_yaxes(
        axis | {"tickvals": list(range(len(rows))), "ticktext": [for_figure(r, 24) for r in rows]},
        range=[len(rows) - 0.5, -0.5],
    )
    figure.update_layout(
        height=top + _ROW * len(rows) + 20,
        margin={"l": 8, "r": 64, "t": top, "b": 12},
        dragmode=False,
        showlegend=False,
    )
    return figure


def shared_figure(shared: list[SharedOption]) -> go.Figure:
    """How often each option occurs on the front, against everywhere.

    Returns:
        Bars "on the front" and marks "everywhere", a row per option, grouped by choice.
    """
    figure = go.Figure()
    rows = [
        [for_figure(each.choice, 20) for each in shared],
        [for_figure(each.option, 14) for each in shared],
    ]
    figure.add_bar(
        name="on the front",
        y=rows,
        x=[100 * each.front for each in shared],
        orientation="h",
        marker={"color": style.FRONT},
        text=[format_share(each.front) for each in shared],
        textposition="outside",
        textfont={"size": 10},
        cliponaxis=False,
        hovertemplate="%{y}: %{x:.0f} % of the front<extra></extra>",
    )
    figure.add_scatter(
        name="of all subnets",
        y=rows,
        x=[100 * each.everywhere for each in shared],
        mode="markers",
        marker={"symbol": "line-ns-open", "size": 13, "color": style.SELECTED, "line": {"width": 2.4}},
        hovertemplate="%{y}: %{x:.0f} % of all subnets<extra></extra>",
    )
    figure.update_xaxes(ticksuffix=" %", range=[0, 112], zeroline=False, fixedrange=True)
    # Given, not found: around marks plotly leaves a twentieth of the axis free, which is much of a long one.
    figure.update_yaxes(range=[len(shared) - 0.5, -0.5], fixedrange=True, automargin=True)
    figure.update_layout(
        height=90 + 19 * len(shared),
        margin={"l": 8, "r": 8, "t": 40, "b": 30},
        legend={"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom"},
        bargap=0.25,
        dragmode=False,
    )
    return figure
