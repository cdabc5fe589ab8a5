"""How a role looks: a shape, a color and a dash that always go together; and what all figures of lessons share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from core.lessons.charts import Role
from core.plots import style
from core.plots.axes import room_above
from core.text import for_figure

HEIGHT = 420
_LONGEST = 60


@dataclass(frozen=True)
class Mark:
    """What stands for a role.

    Attributes:
        color: of points and lines.
        symbols: of points; where several groups have one role, each takes the next.
        size: of points, in pixels.
        dash, width: of lines.
    """

    color: str
    symbols: tuple[str, ...]
    size: int
    dash: str
    width: float = 2.0


MARKS: dict[Role, Mark] = {
    "plain": Mark(style.DOMINATED, ("circle", "square", "diamond", "cross", "triangle-up"), 7, "dot"),
    "faint": Mark(style.DOMINATED, ("circle",), 5, "dot", 1.2),
    "front": Mark(style.FRONT, ("circle", "square"), 11, "solid"),
    "reference": Mark(style.SEARCHED, ("star-square", "cross"), 13, "dashdot"),
    "mine": Mark(style.SELECTED, ("diamond", "square"), 13, "dash", 2.6),
    "right": Mark(style.KNEE, ("star",), 15, "solid", 2.6),
    "wrong": Mark(style.SELECTED, ("x",), 12, "dash", 2.6),
    "missed": Mark(style.FRONT, ("circle-open", "square-open"), 14, "longdash", 2.6),
}


def dashes(role: Role, before: int) -> str:
    """The dash of a line whose role has `before` other lines already."""
    first = MARKS[role].dash
    if before == 0:
        return first
    others = [dash for dash in ("dash", "dashdot", "longdash", "dot", "solid") if dash != first]
    return others[(before - 1) % len(others)]


def symbol(role: Role, before: int) -> str:
    """The shape of points whose role has `before` other groups already."""
    symbols = MARKS[role].symbols
    return symbols[before % len(symbols)]


def label(text: str) -> str:
    """A text of a lesson inside a figure."""
    return for_figure(text, _LONGEST)


def lay_out(figure: go.Figure, *, x_title: str = "", y_title: str = "", bottom: int = 8) -> None:
    """Titles, margins and a height for those who give none."""
    axis: dict[str, Any] = {"zeroline": False, "automargin": True, "ticks": "outside", "ticklen": 4}
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis)
    figure.update_xaxes(title={"text": for_figure(x_title, 120), "font": {"size": 14}})
    figure.update_yaxes(title={"text": for_figure(y_title, 120), "font": {"size": 14}})
    above = room_above(figure)
    figure.update_layout(
        height=HEIGHT,
        margin={"l": 8, "r": 12, "t": above, "b": bottom},
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "itemsizing": "constant"},
    )


def add_bounds(
    figure: go.Figure, bounds: Sequence[tuple[str, str, float]], *, log_x: bool = False, named: bool = False
) -> None:
    """Straight lines across all panels, each with its name beside it; names of neighbors stand one below the other.

    Args:
        log_x: whether the horizontal axis is logarithmic.
        named: name them in the legend, because there is no room beside them.
    """
    upright = 0
    for index, (name, axis, at) in enumerate(bounds):
        line = {
            "color": style.SEARCHED,
            "width": 1.8,
            "dash": ("dash", "dot", "dashdot", "longdash")[index % 4],
        }
        add = figure.add_vline if axis == "x" else figure.add_hline
        where = {axis: at, "line": line}
        if named:
            figure.add_scatter(name=label(name), x=[None], y=[None], mode="lines", line=line)
            add(**where)
            continue
        before = len(figure.layout.annotations)
        place = (
            {"position": "top right", "yshift": -16 * upright}
            if axis == "x"
            else {"position": "bottom right"}
        )
        add(
            **where,
            annotation_text=label(name),
            annotation_font_size=12,
            **{f"annotation_{key}": value for key, value in place.items()},
        )
        if axis == "x":
            upright += 1
            # Annotations, unlike lines, are placed by the logarithm on a logarithmic axis.
            for added in figure.layout.annotations[before:]:
                added.x = math.log10(at) if log_x and at > 0 else at
