"""Subnets under attack: who stays right, against what it costs or what the attack moves."""

from __future__ import annotations

import plotly.graph_objects as go

from core.objectives.base import objective
from core.plots import style
from core.plots.finished import finished
from core.text import for_figure
from core.views.robustness import ROBUST, Robustness
from core.words import axis_title, format_value


def robustness_figure(found: Robustness, against: str) -> go.Figure:
    """Robust accuracy of every subnet, a point each.

    Args:
        found: subnets that were attacked.
        against: objective of the horizontal axis, one of those measured.

    Returns:
        Traces: "subnets under attack", and "front of robust accuracy and MACs", a line where MACs are the axis.
    """
    table, x, y = found.table, objective(against), objective(ROBUST)
    across, up = style.scale(x), style.scale(y)
    table = table.sort_values(against, kind="stable")
    hover = [
        "<br>".join(
            [f"<b>{for_figure(row['arch_id'])}</b>"]
            + [f"{o.label} {format_value(row[o.name], o)}" for o in map(objective, found.names)]
        )
        for row in table.to_dict("records")
    ]
    figure = go.Figure()
    figure.add_scatter(
        name="subnets under attack",
        x=(across.factor * table[against]).tolist(),
        y=(up.factor * table[ROBUST]).tolist(),
        mode="markers",
        marker={"color": style.DOMINATED, "size": 8},
        hovertext=hover,
        hovertemplate="%{hovertext}<extra></extra>",
    )
    front = table[table["on_front"]]
    on_axis = against == found.cost
    figure.add_scatter(
        name="front of robust accuracy and MACs",
        x=(across.factor * front[against]).tolist(),
        y=(up.factor * front[ROBUST]).tolist(),
        mode="lines+markers" if on_axis else "markers",
        line={"shape": "hv", "color": style.FRONT, "width": 2},
        marker={"color": style.FRONT, "size": 9, "symbol": "diamond"},
        hoverinfo="skip",
    )
    figure.update_xaxes(title={"text": axis_title(x)}, tickformat=across.tick, zeroline=False)
    figure.update_yaxes(title={"text": axis_title(y)}, tickformat=up.tick, zeroline=False, rangemode="tozero")
    figure.update_layout(
        height=360,
        margin={"l": 8, "r": 12, "t": 32, "b": 8},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        hovermode="closest",
        showlegend=True,
    )
    return finished(figure)
