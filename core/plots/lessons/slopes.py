"""Two columns of ranks, and where each subnet goes from the one to the other."""

from __future__ import annotations

import math

import plotly.graph_objects as go

from core.lessons.charts import Slopes
from core.plots import style
from core.plots.lessons.marks import label, lay_out

_MOST_NAMES = 24
_GOES = {
    "comes higher": (style.KNEE, "solid", "triangle-up"),
    "stays": (style.DOMINATED, "dot", "circle"),
    "falls lower": (style.SELECTED, "dash", "triangle-down"),
    "not known yet": (style.DOMINATED, "dot", "circle-open"),
}


def draw_slopes(chart: Slopes) -> go.Figure:
    """A line for each subnet, rank 1 on top. Of one whose right rank is not known only the left end is drawn."""
    figure = go.Figure()
    rows = list(zip(chart.names, chart.left_ranks, chart.right_ranks, strict=True))
    for goes, (color, dash, symbol) in _GOES.items():
        mine = [row for row in rows if _goes(row[1], row[2]) == goes]
        if not mine:
            continue
        x: list[float | None] = []
        y: list[float | None] = []
        texts: list[str] = []
        for name, left, right in mine:
            known = math.isfinite(right)
            x += [0, 1 if known else None, None]
            y += [left, right if known else None, None]
            said = f"{label(name)}: {left:g}" + (f", then {right:g}" if known else ", then not known yet")
            texts += [said, said, ""]
        figure.add_scatter(
            name=goes,
            x=x,
            y=y,
            text=texts,
            mode="lines+markers",
            line={"color": color, "width": 2.2, "dash": dash},
            marker={
                "symbol": symbol,
                "size": 9,
                "color": color,
                "line": {"width": 2 if "open" in symbol else 0},
            },
            hovertemplate="%{text}<extra></extra>",
        )
    if len(rows) <= _MOST_NAMES:
        _add_names(figure, chart)
    lay_out(figure, y_title=chart.y_title or "Rank (1 is best)")
    _lay_out_columns(figure, chart)
    return figure


def _goes(left: float, right: float) -> str:
    if not math.isfinite(right):
        return "not known yet"
    return "comes higher" if right < left else "falls lower" if right > left else "stays"


def _add_names(figure: go.Figure, chart: Slopes) -> None:
    """Names at the left ends; those of equal rank share a line."""
    at: dict[float, list[str]] = {}
    for name, rank in zip(chart.names, chart.left_ranks, strict=True):
        at.setdefault(rank, []).append(label(name))
    for rank, names in at.items():
        figure.add_annotation(
            x=0,
            y=rank,
            text=" · ".join(names),
            xanchor="right",
            xshift=-9,
            showarrow=False,
            font={"size": 12},
        )


def _lay_out_columns(figure: go.Figure, chart: Slopes) -> None:
    room = (
        0.045 * max((len(name) for name in chart.names), default=0)
        if len(chart.names) <= _MOST_NAMES
        else 0.1
    )
    figure.update_xaxes(
        range=[-max(0.15, min(room, 0.9)), 1.12],
        tickmode="array",
        tickvals=[0, 1],
        ticktext=[label(chart.left), label(chart.right)],
        showgrid=False,
        tickfont={"size": 14},
    )
    worst = max(
        [rank for rank in (*chart.left_ranks, *chart.right_ranks) if math.isfinite(rank)], default=1.0
    )
    figure.update_yaxes(range=[worst + 0.6, 0.4], dtick=1 if worst <= 12 else None, showgrid=False)
