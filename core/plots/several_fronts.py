"""Several fronts in one chart, each with a color, a dash and a mark of its own, and one subnet shown on all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from core.plots import style
from core.plots.axes import CLICKED, LAYOUT, hover, lay_out_axes
from core.text import for_figure
from core.views.several_fronts import FrontSeries, SeveralFronts

SEPARATOR = "|"
"""Between the key of a series and an id in customdata."""

# What is selected has a color of its own.
_COLORS = tuple(color for color in style.CATEGORICAL if color != style.SELECTED)


def several_figure(
    view: SeveralFronts, *, log_x: bool = False, log_y: bool = False, selected: str = "", key: str = ""
) -> go.Figure:
    """The fronts' members as step lines; where one subnet is in each of them, ringed.

    Args:
        view: the fronts.
        log_x, log_y: logarithmic axes.
        selected: id of the subnet shown on every front that has it.
        key: of the series it was picked in.

    Returns:
        One trace per front, then "selected" where there is one. customdata: the key of the series, a bar, the id.
    """
    figure = go.Figure()
    for index, series in enumerate(view.series):
        points = _drawn(view, series, series.values[series.members])
        color = _COLORS[index % len(_COLORS)]
        figure.add_scatter(
            name=for_figure(series.label),
            x=points[:, 0],
            y=points[:, 1],
            customdata=[f"{series.key}{SEPARATOR}{i}" for i in series.ids[series.members]],
            mode="lines+markers",
            line={
                "color": color,
                "width": 1.6,
                "shape": "vh" if series.x.maximize else "hv",
                "dash": style.DASHES[index % len(style.DASHES)],
            },
            marker={"color": color, "size": 8, "symbol": style.SYMBOLS[index % len(style.SYMBOLS)]},
            selected={"marker": {"opacity": 1.0}},
            unselected={"marker": {"opacity": 1.0}},
            hovertemplate=_hover(view, series),
        )
    _add_selected(figure, view, selected, key)
    _lay_out(figure, view, log_x, log_y)
    return figure


def _drawn(view: SeveralFronts, series: FrontSeries, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 2) as the axes show them: the objectives' drawn units, or percent of the largest."""
    factors = [style.scale(goal).factor for goal in (series.x, series.y)]
    shares = 100.0 / series.largest()
    return values * np.where(view.normalized, shares, factors)


def _hover(view: SeveralFronts, series: FrontSeries) -> str:
    name = for_figure(series.label)
    if view.normalized == (False, False):
        return hover(series.x, series.y, name)
    parts = []
    for axis, goal, normalized in (("y", series.y, view.normalized[1]), ("x", series.x, view.normalized[0])):
        scale = style.scale(goal)
        number = (
            f"%{{{axis}:.1f}} % of the largest" if normalized else f"%{{{axis}:{scale.hover}}}{scale.suffix}"
        )
        parts.append(f"{for_figure(goal.label)} {number}")
    return f"{'<br>'.join(parts)}<extra>{name}</extra>"


def _add_selected(figure: go.Figure, view: SeveralFronts, selected: str, key: str) -> None:
    places, ids = [], []
    for series in view.series:
        at = np.flatnonzero(series.ids == selected)
        if len(at) and (view.matched or series.key == key):
            places.append(_drawn(view, series, series.values[at[:1]])[0])
            ids.append(f"{series.key}{SEPARATOR}{selected}")
    if places:
        points = np.array(places)
        figure.add_scatter(
            name="selected",
            x=points[:, 0],
            y=points[:, 1],
            customdata=ids,
            mode="lines+markers",
            line={"color": style.SELECTED, "width": 1, "dash": "dot"},
            marker={"symbol": "circle-open", "size": 17, "color": style.SELECTED, "line": {"width": 3}},
            unselected={"marker": {"opacity": 1.0}},
            hoverinfo="skip",
        )


def _lay_out(figure: go.Figure, view: SeveralFronts, log_x: bool, log_y: bool) -> None:
    first = view.series[0]
    lay_out_axes(figure, first.x, first.y, log_x, log_y)
    same = len({series.x.name for series in view.series}) == 1
    for update, goal, normalized, one in (
        (figure.update_xaxes, first.x, view.normalized[0], same),
        (figure.update_yaxes, first.y, view.normalized[1], True),
    ):
        better = "more is better" if goal.maximize else "less is better"
        shared: dict[str, Any] = {}
        if normalized:
            what = goal.label if one else view.across or "Cost"
            shared = {"title": {"text": f"{for_figure(what)}, share of its largest (%)  ·  {better}"}}
            shared |= {"tickformat": "~g", "ticksuffix": ""}
        elif not one:
            unit = f" ({goal.unit})" if goal.unit else ""
            shared = {
                "title": {
                    "text": f"{for_figure(view.across or goal.label.partition(' on ')[0])}{unit}  ·  {better}"
                }
            }
        update(**shared)
    figure.update_layout(
        height=520,
        margin={"l": 8, "r": 12, "t": 36, "b": 60},
        **{**LAYOUT, **CLICKED},
    )
