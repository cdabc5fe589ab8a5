"""Points and lines in a plane, and curves in small multiples."""

from __future__ import annotations

import math
from collections import Counter

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from core.lessons.charts import Curves, Group, Line, Role, Scatter
from core.plots import style
from core.plots.lessons.marks import MARKS, add_bounds, dashes, label, lay_out, symbol

_AREAS = ("rgba(0, 114, 178, 0.20)", "rgba(213, 94, 0, 0.20)", "rgba(0, 158, 115, 0.20)")
_FEW_PLACES = 25
_MOST_ACROSS = 4


def draw_scatter(chart: Scatter) -> go.Figure:
    """Areas at the bottom, lines above them, points on top."""
    figure = go.Figure()
    for index, (name, x, y) in enumerate(chart.areas):
        figure.add_scatter(
            name=label(name),
            x=list(x),
            y=list(y),
            mode="lines",
            fill="toself",
            fillcolor=_AREAS[index % len(_AREAS)],
            line={"width": 1.5, "color": style.CATEGORICAL[index], "dash": style.DASHES[index % 4]},
            hoverinfo="skip",
        )
    lines: Counter[Role] = Counter()
    for line in chart.lines:
        mark, dash = MARKS[line.role], dashes(line.role, lines[line.role])
        lines[line.role] += 1
        _add_line(figure, line, color=mark.color, width=mark.width, dash=dash, markers=False)
    groups: Counter[Role] = Counter()
    for group in chart.groups:
        _add_group(figure, group, symbol(group.role, groups[group.role]), markable=chart.markable)
        groups[group.role] += 1
    _axes(figure, log_x=chart.log_x)
    add_bounds(figure, chart.bounds, log_x=chart.log_x)
    lay_out(figure, x_title=chart.x_title, y_title=chart.y_title)
    return figure


def _add_group(figure: go.Figure, group: Group, shape: str, *, markable: bool) -> None:
    mark = MARKS[group.role]
    told = "%{hovertext}<br>" if group.texts else ""
    figure.add_scatter(
        name=label(group.label),
        x=list(group.x),
        y=list(group.y),
        mode="markers+text" if group.names else "markers",
        text=[label(name) for name in group.names] or None,
        textposition="middle right",
        textfont={"size": 14},
        hovertext=[label(text) for text in group.texts] or None,
        customdata=list(group.keys),
        marker={"symbol": shape, "size": mark.size, "color": mark.color, "line": {"width": _edge(shape)}},
        # What is marked gets a group of its own: the chart itself selects nothing.
        selected={"marker": {"opacity": 1.0}},
        unselected={"marker": {"opacity": 1.0}},
        hovertemplate=f"{told}%{{x:.4s}}, %{{y:.4~g}}<extra>{label(group.label)}</extra>",
        hoverinfo=None if markable or group.texts else "all",
    )


def _edge(shape: str) -> float:
    return 2.6 if shape.endswith("open") else 0.0


def _add_line(
    figure: go.Figure,
    line: Line,
    *,
    color: str,
    width: float,
    dash: str,
    markers: bool,
    where: int | None = None,
) -> None:
    place = {} if where is None else {"row": 1 + where // _MOST_ACROSS, "col": 1 + where % _MOST_ACROSS}
    first = all(each.legendgroup != label(line.label) for each in figure.data)
    shape = "hv" if line.steps else "linear"
    if line.low and line.high:
        # A band is one outline there and back; gaps would tear it.
        known = [
            (x, low, high)
            for x, low, high in zip(line.x, line.low, line.high, strict=True)
            if math.isfinite(low) and math.isfinite(high)
        ]
        across = [x for x, _, _ in known]
        for ends, fill in (([low for _, low, _ in known], None), ([high for _, _, high in known], "tonexty")):
            figure.add_scatter(
                x=across,
                y=ends,
                mode="lines",
                line={"width": 0, "shape": shape},
                fill=fill,
                fillcolor=_faint(color),
                hoverinfo="skip",
                showlegend=False,
                legendgroup=label(line.label),
                **place,
            )
    figure.add_scatter(
        name=label(line.label),
        x=list(line.x),
        y=list(line.y),
        mode="lines+markers" if markers else "lines",
        line={"color": color, "width": width, "dash": dash, "shape": shape},
        marker={"size": 6},
        legendgroup=label(line.label),
        showlegend=first,
        hovertemplate=f"%{{x:.4~s}}, %{{y:.4~g}}<extra>{label(line.label)}</extra>",
        **place,
    )


def _faint(color: str) -> str:
    red, green, blue = (int(color[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, 0.20)"


def draw_curves(chart: Curves) -> go.Figure:
    """One panel, or one for each distinct title, with the same axes; a label keeps its color and dash in all of them.

    Lines of the role "plain", and several of another role, are told apart by their labels; a single one of another role
    looks as it does everywhere.
    """
    panels = list(dict.fromkeys(line.panel for line in chart.lines)) or [""]
    across = min(len(panels), _MOST_ACROSS)
    several = len(panels) > 1
    figure = (
        make_subplots(
            rows=math.ceil(len(panels) / across),
            cols=across,
            shared_yaxes="all",
            shared_xaxes="all",
            subplot_titles=[label(panel) for panel in panels],
            horizontal_spacing=0.03,
            vertical_spacing=0.16,
        )
        if several
        else go.Figure()
    )
    labels = list(dict.fromkeys(line.label for line in chart.lines))
    roles: dict[Role, list[str]] = {}
    for line in chart.lines:
        seen = roles.setdefault(line.role, [])
        if line.label not in seen:
            seen.append(line.label)
    for line in chart.lines:
        mark, seen = MARKS[line.role], roles[line.role]
        before = seen.index(line.label)
        apart = line.role == "plain" or len(seen) > 1
        drawn = style.line(labels.index(line.label)) if apart else None
        _add_line(
            figure,
            line,
            color=drawn["color"] if drawn else mark.color,
            width=drawn["width"] if drawn else mark.width,
            dash=drawn["dash"] if drawn else dashes(line.role, before),
            markers=len(line.x) <= _FEW_PLACES and not line.steps,
            where=panels.index(line.panel) if several else None,
        )
    _axes(figure, log_x=chart.log_x)
    add_bounds(figure, chart.bounds, log_x=chart.log_x, named=several)
    lay_out(figure, x_title=chart.x_title, y_title=chart.y_title)
    if several:
        _share_titles(figure, chart, len(panels))
    return figure


def _share_titles(figure: go.Figure, chart: Curves, panels: int) -> None:
    """The vertical axis is named once, at the left; the horizontal one below each panel would be cut."""
    figure.update_yaxes(title=None)
    figure.update_xaxes(title=None)
    figure.update_yaxes(title={"text": label(chart.y_title)}, col=1)
    middle = 1 + (min(panels, _MOST_ACROSS) - 1) // 2
    last = math.ceil(panels / _MOST_ACROSS)
    figure.update_xaxes(title={"text": label(chart.x_title)}, row=last, col=middle)
    # The panels' titles stand where the legend would: it moves up.
    figure.update_layout(margin_t=(figure.layout.margin.t or 0) + 24, legend_y=1.12)


def _axes(figure: go.Figure, *, log_x: bool) -> None:
    if log_x:
        figure.update_xaxes(type="log", dtick="D2", tickformat="~s")
    else:
        figure.update_xaxes(tickformat="~s")
    figure.update_yaxes(tickformat="~g")
