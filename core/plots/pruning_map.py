"""The map of signatures (a network on a benchmark is a point), and which benchmarks say the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from core import words
from core.plots import style
from core.plots.experiments import empty_figure
from core.plots.numbers import CellColors, add_numbers
from core.text import for_figure

CLEAN = "clean"
_COLORS = style.CATEGORICAL[2:]
_SYMBOLS = (
    *style.SYMBOLS,
    "star",
    "triangle-down",
    "pentagon",
    "bowtie",
    "hexagram",
    "triangle-left",
    "hourglass",
    "star-square",
)
_MOST_TEXT = 14


def benchmark_map(
    points: NDArray[np.float64], ids: Sequence[str], titles: Sequence[str], methods: Sequence[str],
    benchmarks: Sequence[str], edges: Sequence[tuple[int, int]], *, selected: str | None = None,
) -> go.Figure:  # fmt: skip
    """Signatures as points; near means that the same samples moved in the same way.

    Args:
        points: (n, 2).
        ids: "model id|benchmark", the customdata.
        titles: for the hover text.
        methods: the symbol of each point.
        benchmarks: the color of each point, better a group of benchmarks (up to six, and "clean", which is larger).
        edges: pairs of points joined by a thin line, usually the minimum spanning tree.
        selected: id of the point that is ringed.

    Returns:
        Traces: the edges, a pair of points and key per benchmark, one key per method, and last the ring. Axes have no unit and
        equal scales.
    """
    if not len(ids):
        return empty_figure("No signature to show yet.", 520)
    figure = go.Figure()
    _tree(figure, points, edges)
    symbols = {m: _SYMBOLS[k % len(_SYMBOLS)] for k, m in enumerate(dict.fromkeys(methods))}
    others = [b for b in dict.fromkeys(benchmarks) if b != CLEAN]
    for name in [*others, *([CLEAN] if CLEAN in benchmarks else [])]:
        rows = [i for i, b in enumerate(benchmarks) if b == name]
        group = f"color {rows[0]}"
        color = style.FRONT if name == CLEAN else _COLORS[others.index(name) % len(_COLORS)]
        figure.add_scatter(
            x=[float(points[i, 0]) for i in rows],
            y=[float(points[i, 1]) for i in rows],
            mode="markers",
            name=for_figure(name),
            customdata=[[ids[i]] for i in rows],
            legendgroup=group,
            showlegend=False,
            hovertext=[
                f"{for_figure(titles[i])}<br>{for_figure(methods[i])} · {for_figure(name)}" for i in rows
            ],
            hovertemplate="%{hovertext}<extra></extra>",
            marker={
                "size": 14 if name == CLEAN else 10,
                "color": color,
                "symbol": [symbols[methods[i]] for i in rows],
                "line": {"width": 1.5 if name == CLEAN else 0.7, "color": style.DOMINATED},
            },
            selected={"marker": {"opacity": 1}},
            unselected={"marker": {"opacity": 0.6}},
        )
        _key(figure, name, "legend", {"size": 11, "color": color, "symbol": "circle"}, group)
    for method, symbol in symbols.items():
        _key(figure, method, "legend2", {"size": 10, "color": style.DOMINATED, "symbol": symbol}, None)
    at = [i for i, one in enumerate(ids) if one == selected][:1]
    figure.add_scatter(
        x=points[at, 0],
        y=points[at, 1],
        mode="markers",
        name="selected",
        hoverinfo="skip",
        showlegend=False,
        marker={"size": 22, "symbol": "circle-open", "color": style.SELECTED, "line": {"width": 2.5}},
        unselected={"marker": {"opacity": 1}},
    )
    axis = {"showticklabels": False, "ticks": "", "zeroline": False, "showgrid": False, "title": None}
    figure.update_xaxes(axis)
    figure.update_yaxes(axis, scaleanchor="x")
    key = {"orientation": "h", "x": 0, "itemclick": False, "itemdoubleclick": False}
    figure.update_layout(
        height=560,
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        hovermode="closest",
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        legend2=key | {"y": -0.02, "yanchor": "top"},
    )
    return figure


def _key(figure: go.Figure, name: str, legend: str, marker: dict, group: str | None) -> None:
    """An entry of a legend: a trace of many symbols would show its first one only."""
    figure.add_scatter(
        x=[None],
        y=[None],
        mode="markers",
        name=for_figure(name),
        legend=legend,
        hoverinfo="skip",
        marker=marker,
        legendgroup=group,
    )


def _tree(figure: go.Figure, points: NDArray[np.float64], edges: Sequence[tuple[int, int]]) -> None:
    x: list[float | None] = []
    y: list[float | None] = []
    for i, j in edges:
        x += [float(points[i, 0]), float(points[j, 0]), None]
        y += [float(points[i, 1]), float(points[j, 1]), None]
    figure.add_scatter(
        x=x,
        y=y,
        mode="lines",
        name="nearest relatives",
        hoverinfo="skip",
        showlegend=False,
        line={"color": style.DOMINATED, "width": 1},
    )


def redundancy(
    names: Sequence[str], distance: NDArray[np.float64], order: Sequence[int], clusters: Sequence[int]
) -> go.Figure:
    """How alike benchmarks rank the networks, with a frame around every group of alike ones.

    Args:
        names: benchmarks.
        distance: (b, b), 1 minus the correlation; NaN where it is not known.
        order: the benchmarks as a dendrogram sorts them.
        clusters: group of every benchmark, in the order of `names`.

    Returns:
        One heatmap; the frames are shapes.
    """
    if not len(names):
        return empty_figure("No benchmark to compare yet.", 430)
    order = [int(i) for i in order]
    shown = 1 - np.asarray(distance, float)[np.ix_(order, order)]
    finite = shown[np.isfinite(shown)]
    labels = [for_figure(names[i], 24) for i in order]
    hover = [
        [f"{a} and {b}<br>correlation <b>{_number(v)}</b>" for b, v in zip(labels, row, strict=True)]
        for a, row in zip(labels, shown, strict=True)
    ]
    figure = go.Figure()
    figure.add_heatmap(
        z=shown,
        x=list(range(len(order))),
        y=list(range(len(order))),
        name="correlation",
        colorscale="Cividis",
        zmin=min(0.0, float(finite.min())) if len(finite) else 0.0,
        zmax=1,
        xgap=1,
        ygap=1,
        hovertext=hover,
        hovertemplate="%{hovertext}<extra></extra>",
        hoverongaps=False,
        colorbar={"title": {"text": "correlation", "side": "right"}, "thickness": 12, "outlinewidth": 0},
    )
    if len(order) <= _MOST_TEXT:
        texts = [[_number(v) for v in row] for row in shown]
        add_numbers(figure, shown, texts, CellColors(float(figure.data[0].zmin), 1, "Cividis"))
    groups = [int(clusters[i]) for i in order]
    borders = [0, *(k for k in range(1, len(groups)) if groups[k] != groups[k - 1]), len(groups)]
    for start, end in pairwise(borders):
        figure.add_shape(
            type="rect",
            x0=start - 0.5,
            x1=end - 0.5,
            y0=start - 0.5,
            y1=end - 0.5,
            line={"color": style.SELECTED, "width": 2.5},
        )
    axis = {
        "showgrid": False,
        "zeroline": False,
        "ticks": "",
        "fixedrange": True,
        "tickvals": list(range(len(order))),
        "ticktext": labels,
    }
    figure.update_xaxes(axis, range=[-0.55, len(order) - 0.45], tickangle=-50)
    figure.update_yaxes(axis, range=[len(order) - 0.45, -0.55])
    figure.update_layout(
        height=int(min(max(140 + 28 * len(order), 320), 700)),
        showlegend=False,
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        dragmode=False,
    )
    return figure


def _number(value: float) -> str:
    return f"{value:.2f}".replace("-", words.MINUS) if math.isfinite(value) else "not known"
