"""The front: every evaluated subnet, the ones no other beats on top.

Each point carries its `arch_id` and nothing else as customdata, so a click survives sorting,
filtering and zooming; everything else is looked up by that id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core import words
from core.library.evaluations import standing
from core.objectives.base import FromFiles, names_of, objectives
from core.plots import style
from core.plots.axes import CLICKED, LAYOUT, drawable, drawn, hover, lay_out_axes, thin
from core.plots.front_chance import ChanceMarks, add_sure_steps, dress_members
from core.records import Objective
from core.text import for_figure

PREDICTED = "predicted"
"""Trace of the subnets that no front may show: a value of theirs is a guess. They are hollow."""
SUBNETS = ("dominated", PREDICTED, "search", "front")
"""Traces whose points are subnets to select."""
UNIFORM = "uniform sizes"
MOST_POINTS = 10_000
"""Points drawn at most; more are slow and overlap anyway. The front is always drawn whole."""
MOST_SVG = 5_000
"""Up to here points are drawn as SVG, above with WebGL."""
_LINE = 15
"""Pixels of a line of the caption; there is room for three."""


def front_figure(
    table: pd.DataFrame,
    x: Objective,
    y: Objective,
    *,
    log_x: bool = False,
    log_y: bool = False,
    line: bool = True,
    knees: Sequence[str] = (),
    selected: str | None = None,
    what_if: Mapping[str, float] | None = None,
    what_if_from: Mapping[str, float] | None = None,
    searched: pd.DataFrame | None = None,
    pruned: pd.DataFrame | None = None,
    trained: pd.DataFrame | None = None,
    uniform: pd.DataFrame | None = None,
    chance: ChanceMarks | None = None,
    caption: str = "",
) -> go.Figure:
    """Scatter every evaluated subnet and draw the front as a step line.

    Args:
        table: one row per subnet; columns `arch_id` (str), `on_front` (bool) and one per objective in
            its stored unit. Rows with a missing value are left out. Is not modified.
        x, y: objectives of the axes.
        log_x, log_y: logarithmic axes.
        line: draw the step line through the front.
        knees: ids to mark with a diamond.
        selected: id that is highlighted when the chart appears; later clicks move the highlight in
            the browser without a new figure.
        what_if: objective values of a subnet that is tried out, drawn as a hollow ghost.
        what_if_from: where the ghost comes from; a dotted line joins the two.
        searched: points a search has evaluated (same columns); drawn in a color of their own.
        pruned: pruned networks drawn beside the front: columns `model_id`, `title` and one per objective.
        trained: networks trained on their own, likewise with `arch_id` instead of `model_id`.
        uniform: subnets whose layers are all alike (same columns as the table), in order of x; a line that mixes must beat.
        chance: how sure the members are.
        caption: lines under the axis; they are exported with the picture.

    Returns:
        Traces "dominated", "predicted" (hollow), "search", "uniform sizes", "sure steps", "front", "knee", "pruned", "trained" and
        "what-if", in this order, where there is something to show.
    """
    rows = drawable(table, x, y, log_x, log_y)
    figure = go.Figure()
    cloud, front = rows[~rows["on_front"]], rows[rows["on_front"]].sort_values([x.name, y.name])
    _add_cloud(figure, cloud, x, y, selected, MOST_POINTS - len(front))
    if searched is not None:
        _add(
            figure,
            "search",
            drawable(searched, x, y, log_x, log_y),
            x,
            y,
            selected,
            color=style.SEARCHED,
            size=7,
            opacity=1.0,
            symbol="square",
        )
    if uniform is not None and len(uniform):
        add_uniform(figure, drawable(uniform, x, y, log_x, log_y), x, y)
    _add_front(figure, front, x, y, selected, line, chance or ChanceMarks())
    _add_knees(figure, front[front["arch_id"].isin(list(knees))], x, y)
    if pruned is not None and {x.name, y.name} <= set(pruned):
        _add_pruned(figure, drawable(pruned, x, y, log_x, log_y), x, y)
    if trained is not None and {x.name, y.name} <= set(trained):
        _add_trained(figure, drawable(trained, x, y, log_x, log_y), x, y)
    if what_if is not None:
        _add_ghost(figure, what_if, what_if_from, x, y)
    _lay_out(figure, x, y, log_x, log_y, caption)
    return figure


def _add_cloud(
    figure: go.Figure, cloud: pd.DataFrame, x: Objective, y: Objective, selected: str | None, room: int
) -> None:
    """Subnets that are not on the front; those that may not stand on any are hollow."""
    stands = standing(cloud, (x.name, y.name))
    known, guessed = thin(cloud[stands], room), cloud[~stands]
    _add(figure, "dominated", known, x, y, selected, color=style.DOMINATED, size=4, opacity=1.0)
    if len(guessed):
        # What was measured is drawn first; the one that is selected is drawn in any case.
        few = thin(guessed, room - len(known))
        picked = guessed[(guessed["arch_id"] == selected) & ~guessed["arch_id"].isin(few["arch_id"])]
        _add(
            figure,
            PREDICTED,
            pd.concat([few, picked]) if len(picked) else few,
            x,
            y,
            selected,
            color=style.DOMINATED,
            size=5,
            opacity=1.0,
            symbol="circle-open",
        )


def _add(
    figure: go.Figure,
    name: str,
    rows: pd.DataFrame,
    x: Objective,
    y: Objective,
    selected: str | None,
    *,
    color: str,
    size: int,
    opacity: float,
    symbol: str = "circle",
    line: bool = False,
) -> None:
    kind = go.Scattergl if len(rows) > MOST_SVG else go.Scatter
    trace = kind(
        name=name,
        x=drawn(rows, x),
        y=drawn(rows, y),
        customdata=rows["arch_id"].to_numpy(object),
        mode="lines+markers" if line else "markers",
        marker={"color": color, "size": size, "opacity": opacity, "symbol": symbol},
        # Static styling: the browser moves the highlight, the figure stays byte for byte the same.
        selected={"marker": {"color": style.SELECTED, "size": 16, "opacity": 1.0}},
        unselected={"marker": {"opacity": opacity}},
        hovertemplate=hover(x, y, name),
    )
    if line:
        trace.line = {"color": color, "width": 1.6, "shape": "vh" if x.maximize else "hv"}
    if selected is not None:
        trace.selectedpoints = np.flatnonzero((rows["arch_id"] == selected).to_numpy()).tolist()
    figure.add_trace(trace)


def _add_front(
    figure: go.Figure,
    front: pd.DataFrame,
    x: Objective,
    y: Objective,
    selected: str | None,
    line: bool,
    chance: ChanceMarks,
) -> None:
    add_sure_steps(figure, front, chance, x, y)
    _add(figure, "front", front, x, y, selected, color=style.FRONT, size=8, opacity=1.0, line=line)
    dress_members(figure.data[-1], front, chance, y)


def add_uniform(figure: go.Figure, rows: pd.DataFrame, x: Objective, y: Objective) -> None:
    """Subnets whose layers are all alike, joined by a line: whoever may mix layers must stay on its better side."""
    figure.add_scatter(
        name=UNIFORM,
        x=drawn(rows, x),
        y=drawn(rows, y),
        customdata=rows["arch_id"].to_numpy(object),
        mode="lines+markers",
        # Steps, as the front's: between two sizes there is none.
        line={"color": style.SEARCHED, "width": 1.6, "dash": "dash", "shape": "vh" if x.maximize else "hv"},
        marker={"symbol": "square-open", "size": 11, "color": style.SEARCHED, "line": {"width": 2}},
        selected={"marker": {"opacity": 1.0}},
        unselected={"marker": {"opacity": 1.0}},
        hovertemplate=hover(x, y, "uniform"),
    )


def _add_knees(figure: go.Figure, rows: pd.DataFrame, x: Objective, y: Objective) -> None:
    if rows.empty:
        return
    figure.add_scatter(
        name="knee",
        x=drawn(rows, x),
        y=drawn(rows, y),
        mode="markers",
        marker={"symbol": "diamond-open", "size": 19, "color": style.KNEE, "line": {"width": 2.4}},
        unselected={"marker": {"opacity": 1.0}},
        # The front's own point below it must get the click.
        hoverinfo="skip",
    )


def _add_pruned(figure: go.Figure, rows: pd.DataFrame, x: Objective, y: Objective) -> None:
    titles = [_pruned_hover(row) for row in rows.to_dict("records")]
    marker = {"symbol": "star-diamond", "size": 11, "color": style.PRUNED}
    _add_beside(figure, rows, x, y, name="pruned", key="model_id", titles=titles, marker=marker)


def _add_trained(figure: go.Figure, rows: pd.DataFrame, x: Objective, y: Objective) -> None:
    titles = [for_figure(title) for title in rows["title"]]
    marker = {"symbol": "star", "size": 12, "color": style.SEARCHED}
    _add_beside(figure, rows, x, y, name="trained", key="arch_id", titles=titles, marker=marker)


def _add_beside(
    figure: go.Figure,
    rows: pd.DataFrame,
    x: Objective,
    y: Objective,
    *,
    name: str,
    key: str,
    titles: list[str],
    marker: Mapping[str, Any],
) -> None:
    """Networks that stand beside the subnets; a click gives what the column `key` says."""
    figure.add_scatter(
        name=name,
        x=drawn(rows, x),
        y=drawn(rows, y),
        mode="markers",
        customdata=rows[key].to_numpy(object),
        hovertext=titles,
        marker={**marker, "line": {"width": 1, "color": style.DOMINATED}},
        selected={"marker": {"color": style.SELECTED, "size": 16, "opacity": 1.0}},
        unselected={"marker": {"opacity": 1.0}},
        hovertemplate=f"%{{hovertext}}<br>{hover(x, y, name)}",
    )


def _pruned_hover(row: Mapping[Any, Any]) -> str:
    """Title and what was measured with an instrument: not every front has an axis for it."""
    lines = [str(row["title"])]
    for goal in objectives(names_of(FromFiles)):
        if np.isfinite(value := float(row.get(goal.name, np.nan))):
            lines.append(f"{goal.label.lower()} {words.format_value(value, goal)}, measured")
    return "<br>".join(for_figure(line) for line in lines)


def _add_ghost(
    figure: go.Figure,
    ghost: Mapping[str, float],
    origin: Mapping[str, float] | None,
    x: Objective,
    y: Objective,
) -> None:
    points = [*([origin] if origin is not None else []), ghost]
    figure.add_scatter(
        name="what-if",
        x=[float(p[x.name]) * style.scale(x).factor for p in points],
        y=[float(p[y.name]) * style.scale(y).factor for p in points],
        mode="lines+markers",
        line={"color": style.WHAT_IF, "dash": "dot", "width": 2},
        marker={
            "symbol": ["circle-open"] * (len(points) - 1) + ["star-open"],
            "size": [1] * (len(points) - 1) + [20],
            "color": style.WHAT_IF,
            "line": {"width": 3},
        },
        unselected={"marker": {"opacity": 1.0}},
        hovertemplate=hover(x, y, "what-if"),
    )


def _lay_out(figure: go.Figure, x: Objective, y: Objective, log_x: bool, log_y: bool, caption: str) -> None:
    lay_out_axes(figure, x, y, log_x, log_y)
    figure.update_layout(
        height=600,
        # As much as numbers of four digits, a title and a legend in one row take, see core.plots.room.
        margin={"l": 84, "r": 12, "t": 50, "b": 116 + _LINE * max(0, caption.count("<br>") - 2)},
        **{**LAYOUT, **CLICKED},
    )
    if caption:
        figure.add_annotation(
            text=caption,
            xref="paper",
            yref="paper",
            x=0,
            y=0,
            yshift=-62,
            xanchor="left",
            yanchor="top",
            showarrow=False,
            font={"size": 11},
            align="left",
            opacity=0.85,
        )
