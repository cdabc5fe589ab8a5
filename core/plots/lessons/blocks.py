"""The choices of a search space side by side, each with its options, and the numbers that follow from what is allowed."""

from __future__ import annotations

import plotly.graph_objects as go

from core.lessons.charts import Blocks
from core.plots import style
from core.plots.lessons.marks import MARKS, label, lay_out

_WHITE = "#FFFFFF"


def draw_blocks(chart: Blocks) -> go.Figure:
    """A column of options per choice: filled where allowed, hollow where not. A curve, if there is one, stands at the right."""
    figure = go.Figure()
    cells = [
        (column, row, text, chart.allowed[column][row])
        for column, options in enumerate(chart.options)
        for row, text in enumerate(options)
    ]
    tallest = max((len(options) for options in chart.options), default=1)
    # So that squares stay apart where the page is narrow.
    across = (220 if chart.curve else 420) // max(len(chart.names), 1)
    size = max(18, min(46, 140 // max(tallest, 1), across))
    for name, allowed in (("allowed", True), ("not allowed", False)):
        mine = [cell for cell in cells if cell[3] is allowed]
        if mine:
            figure.add_scatter(
                name=name,
                x=[cell[0] for cell in mine],
                y=[cell[1] for cell in mine],
                text=[label(cell[2]) for cell in mine],
                mode="markers+text",
                textfont={"size": 14, **({"color": _WHITE} if allowed else {})},
                marker={
                    "symbol": "square" if allowed else "square-open",
                    "size": size,
                    "color": style.FRONT if allowed else style.DOMINATED,
                    "line": {"width": 1.5, **({"color": _WHITE} if allowed else {})},
                },
                hovertemplate=f"%{{text}}<extra>{name}</extra>",
            )
    _add_curve(figure, chart)
    lay_out(figure)
    right = 0.58 if chart.curve else 1.0
    figure.update_xaxes(showgrid=False, ticks="")
    figure.update_layout(
        xaxis={
            "domain": [0, right],
            "tickmode": "array",
            "tickvals": list(range(len(chart.names))),
            "ticktext": [label(name) for name in chart.names],
            "range": [-0.6, len(chart.names) - 0.4],
        },
        yaxis={"visible": False, "range": [-0.7, tallest - 0.3]},
    )
    if chart.curve:
        titles = {"xaxis2_title_text": label(chart.x_title), "yaxis2_title_text": label(chart.y_title)}
        figure.update_layout(**titles)
    _add_counters(figure, chart)
    return figure


def _add_curve(figure: go.Figure, chart: Blocks) -> None:
    if not chart.curve:
        return
    for index, line in enumerate(chart.curve):
        drawn = style.line(index) if line.role == "plain" else None
        mark = MARKS[line.role]
        figure.add_scatter(
            name=label(line.label),
            x=list(line.x),
            y=list(line.y),
            mode="lines",
            line={
                "color": drawn["color"] if drawn else mark.color,
                "dash": drawn["dash"] if drawn else mark.dash,
                "width": 2.4,
                "shape": "hv" if line.steps else "linear",
            },
            xaxis="x2",
            yaxis="y2",
            hovertemplate=f"%{{x:.4~s}}, %{{y:.4~g}}<extra>{label(line.label)}</extra>",
        )
    figure.update_layout(
        xaxis2={
            "domain": [0.72, 1],
            "anchor": "y2",
            "zeroline": False,
            "tickformat": "~s",
        },
        yaxis2={
            "anchor": "x2",
            "zeroline": False,
            "tickformat": "~s",
            "rangemode": "tozero",
        },
    )


def _add_counters(figure: go.Figure, chart: Blocks) -> None:
    """The numbers in a row above the columns, large."""
    n = len(chart.counters)
    for index, (what, number) in enumerate(chart.counters):
        figure.add_annotation(
            xref="paper",
            yref="paper",
            x=index / max(n, 1),
            y=1,
            yshift=34,
            xanchor="left",
            yanchor="bottom",
            align="left",
            showarrow=False,
            text=f"<b>{label(number)}</b><br><span style='font-size:13px'>{label(what)}</span>",
            font={"size": 18},
        )
    if n:
        figure.update_layout(margin_t=(figure.layout.margin.t or 0) + 52)
