"""Figures of a race of searches: attainment surfaces of every setting, and the fronts at one step of its replay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from core.plots import style
from core.plots.axes import LAYOUT, hover, lay_out_axes, room_above
from core.records import Objective
from core.text import for_figure
from core.views.race_attainment import Attained
from core.views.race_replay import Bounds, Frame

_KINDS = (("best", "dot", 1.2), ("median", "solid", 2.4), ("worst", "dash", 1.2))


def attainment_figure(
    found: Sequence[Attained],
    x: Objective,
    y: Objective,
    *,
    x_at: int,
    exact: NDArray[np.float64] | None = None,
    log_x: bool = False,
) -> go.Figure:
    """Best, median and worst attainment surface of every setting as step lines.

    Args:
        found: at most a few settings.
        x, y: objectives of the axes.
        x_at: which of the two columns of the surfaces is that of `x`: 0 or 1.
        exact: (k, 2) front of the whole space, columns as in the surfaces, where it is known.
        log_x: logarithmic axis.

    Returns:
        "exact front" where there is one; then per setting its best (dotted), median (solid, with marks) and worst
        surface (dashed), in one color; the legend switches all three.
    """
    figure = go.Figure()
    surfaces = [s for each in found for s in (each.surfaces.best, each.surfaces.median, each.surfaces.worst)]
    edge = _edge([*surfaces, *([exact] if exact is not None else [])], x_at, x.maximize)
    if exact is not None and len(exact):
        line = {"color": style.DOMINATED, "width": 1.6, "dash": "dash"}
        _add_steps(figure, "exact front", _steps(exact, x, x_at, edge), x, y, line=line, legend=True)
    for index, each in enumerate(found):
        color = style.CATEGORICAL[index % len(style.CATEGORICAL)]
        name = for_figure(f"{each.label} · n = {each.n}" if each.n > 1 else each.label)
        for kind, dash, width in _KINDS if each.n > 1 else _KINDS[1:2]:
            steps = _steps(getattr(each.surfaces, kind), x, x_at, edge)
            line = {"color": color, "width": width, "dash": dash}
            middle = kind == "median"
            told = f"{name}, {kind}" if each.n > 1 else name
            _add_steps(
                figure,
                told,
                steps,
                x,
                y,
                line=line,
                legend=middle,
                group=name,
                symbol=index if middle else None,
            )
    lay_out_axes(figure, x, y, log_x, False)
    figure.update_layout(**_room(figure), showlegend=True, **LAYOUT)
    return figure


def replay_figure(
    frames: Sequence[Frame],
    x: Objective,
    y: Objective,
    *,
    x_at: int,
    bounds: Bounds,
    exact: NDArray[np.float64] | None = None,
    log_x: bool = False,
) -> go.Figure:
    """The front of every setting at one step, over what it had measured; the axes are those of the whole race.

    Args:
        frames: one per setting.
        x, y: objectives of the axes.
        x_at: which of the two columns of the frames is that of `x`: 0 or 1.
        bounds: least and most of the two columns over the whole race.
        exact: (k, 2) front of the whole space, columns as in the frames, where it is known.
        log_x: logarithmic axis.

    Returns:
        "exact front" where there is one; then per setting its measured subnets (small marks) and its front.
    """
    figure = go.Figure()
    given = np.array(bounds).T
    limits = np.vstack([given, exact]) if exact is not None and len(exact) else given
    edge = _edge([limits], x_at, x.maximize)
    if exact is not None and len(exact):
        line = {"color": style.DOMINATED, "width": 1.6, "dash": "dash"}
        _add_steps(figure, "exact front", _steps(exact, x, x_at, edge), x, y, line=line, legend=True)
    for frame in frames:
        color = style.CATEGORICAL[frame.index % len(style.CATEGORICAL)]
        name = for_figure(frame.label)
        across, up = _drawn(frame.points, x, y, x_at)
        figure.add_scatter(
            name=f"{name}, measured",
            legendgroup=name,
            showlegend=False,
            x=across,
            y=up,
            mode="markers",
            marker={"color": color, "size": 4, "symbol": _symbol(frame.index)},
            hovertemplate=hover(x, y, f"{name}, measured"),
        )
        line = {"color": color, "width": 2.2, "dash": style.DASHES[frame.index % len(style.DASHES)]}
        steps = _steps(frame.front, x, x_at, edge)
        _add_steps(figure, name, steps, x, y, line=line, legend=True, group=name, symbol=frame.index)
    lay_out_axes(figure, x, y, log_x, False)
    # The same axes at every step, so that only the fronts move.
    spans = (
        _span(limits[:, x_at] * style.scale(x).factor, log_x),
        _span(limits[:, 1 - x_at] * style.scale(y).factor),
    )
    figure.update_xaxes(range=spans[0])
    figure.update_yaxes(range=spans[1])
    figure.update_layout(**_room(figure), showlegend=True, **LAYOUT)
    return figure


def _room(figure: go.Figure) -> dict[str, Any]:
    above = room_above(figure)
    return {"height": 420 + above, "margin": {"l": 8, "r": 12, "t": above, "b": 60}}


def _edge(surfaces: Sequence[NDArray[np.float64]], x_at: int, maximize: bool) -> float:
    """The worst value of x among all corners: as far as steps are drawn."""
    values = np.concatenate([surface[:, x_at] for surface in surfaces if len(surface)] or [np.zeros(1)])
    return float(values.min() if maximize else values.max())


def _steps(corners: NDArray[np.float64], x: Objective, x_at: int, edge: float) -> NDArray[np.float64]:
    """(k + 1, 2) x and y of corners by x, with the end at which the last step is left."""
    if not len(corners):
        return np.empty((0, 2))
    points = np.column_stack([corners[:, x_at], corners[:, 1 - x_at]])
    points = points[np.argsort(points[:, 0], kind="stable")]
    return (
        np.vstack([[edge, points[0, 1]], points])
        if x.maximize
        else np.vstack([points, [edge, points[-1, 1]]])
    )


def _add_steps(
    figure: go.Figure,
    name: str,
    steps: NDArray[np.float64],
    x: Objective,
    y: Objective,
    *,
    line: dict[str, object],
    legend: bool,
    group: str = "",
    symbol: int | None = None,
) -> None:
    marks = (
        {} if symbol is None else {"marker": {"color": line["color"], "size": 7, "symbol": _symbol(symbol)}}
    )
    figure.add_scatter(
        name=group or name,
        legendgroup=group or name,
        showlegend=legend,
        x=(steps[:, 0] * style.scale(x).factor).tolist(),
        y=(steps[:, 1] * style.scale(y).factor).tolist(),
        mode="lines" if symbol is None else "lines+markers",
        line={**line, "shape": "vh" if x.maximize else "hv"},
        hovertemplate=hover(x, y, name),
        **marks,
    )


def _symbol(index: int) -> str:
    return style.SYMBOLS[index % len(style.SYMBOLS)]


def _drawn(
    points: NDArray[np.float64], x: Objective, y: Objective, x_at: int
) -> tuple[list[float], list[float]]:
    across, up = points[:, x_at] * style.scale(x).factor, points[:, 1 - x_at] * style.scale(y).factor
    return across.tolist(), up.tolist()


def _span(values: NDArray[np.float64], log: bool = False) -> list[float]:
    """Range of an axis with a little room at both ends."""
    shown = np.log10(values) if log else values
    least, most = float(shown.min()), float(shown.max())
    room = 0.04 * (most - least) or 0.5
    return [least - room, most + room]
