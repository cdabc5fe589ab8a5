"""Maps: networks as points, and samples as two networks see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from core.plots import style
from core.plots.names import for_figure


def model_map(
    points: NDArray[np.float64], ids: Sequence[str], titles: Sequence[str], values: Sequence[float | str],
    *, label: str, percent: bool = False, named: Mapping[str, str] | None = None,
) -> go.Figure:  # fmt: skip
    """Networks as points; near means alike.

    Args:
        points: (n, 2).
        ids: model ids, the customdata.
        titles: for the hover text.
        values: one number per network, or one option (a text), for the color.
        label: what the values are.
        percent: whether numbers are fractions, drawn in percent.
        named: ids that are written beside their point, id -> text.

    Returns:
        One trace, and one of names; axes have no unit and equal scales.
    """
    numbers = [v for v in values if not isinstance(v, str)]
    figure = go.Figure()
    if len(numbers) == len(values):
        shown = [float(v) * (100 if percent else 1) for v in numbers]
        text = [f"{v:.2f} %" if percent else f"{v:,.4g}" for v in shown]
        title = f"{label} (%)" if percent else label
        marker = {"size": 11, "color": shown, "colorscale": "Cividis",
                  "colorbar": {"title": {"text": for_figure(title), "side": "right"}, "thickness": 12, "outlinewidth": 0}}  # fmt: skip
        _points(figure, points, range(len(ids)), ids, titles, text, label, marker, "networks")
    else:
        options = sorted({str(v) for v in values}, key=_natural)
        for k, option in enumerate(options):
            rows = [i for i, v in enumerate(values) if str(v) == option]
            marker = {"size": 11, "color": style.CATEGORICAL[k % 8], "symbol": style.SYMBOLS[k % 6]}
            _points(
                figure, points, rows, ids, titles, [option] * len(ids), label, marker, f"{label} {option}"
            )
    if named:
        at = [ids.index(i) for i in named if i in ids]
        figure.add_scatter(
            x=points[at, 0], y=points[at, 1], mode="markers+text", text=[named[ids[i]] for i in at], name="selected",
            textposition="top center", textfont={"color": style.SELECTED, "size": 13}, hoverinfo="skip", showlegend=False,
            marker={"size": 18, "symbol": "circle-open", "color": style.SELECTED, "line": {"width": 2}},
        )  # fmt: skip
    axis = {"showticklabels": False, "ticks": "", "zeroline": False, "title": None}
    figure.update_xaxes(axis)
    figure.update_yaxes(axis, scaleanchor="x")
    figure.update_layout(
        height=480, margin={"l": 10, "r": 10, "t": 10, "b": 10}, hovermode="closest",
        legend={"orientation": "h", "y": 1.08, "x": 0},
    )  # fmt: skip
    return figure


def _points(
    figure: go.Figure, points: NDArray[np.float64], rows: Sequence[int], ids: Sequence[str], titles: Sequence[str],
    text: Sequence[str], label: str, marker: dict, name: str,
) -> None:  # fmt: skip
    figure.add_scatter(
        x=[float(points[i, 0]) for i in rows], y=[float(points[i, 1]) for i in rows], mode="markers",
        customdata=[[ids[i]] for i in rows], name=for_figure(name), marker=marker | {"line": {"width": 0.5, "color": "#888"}},
        hovertext=[f"{for_figure(titles[i])}<br>{for_figure(label)}: {for_figure(text[i])}" for i in rows],
        hovertemplate="%{hovertext}<extra></extra>", showlegend="colorbar" not in marker,
        selected={"marker": {"size": 16}}, unselected={"marker": {"opacity": 0.6}},
    )  # fmt: skip


def _natural(text: str) -> tuple[int, float, str]:
    try:
        return (0, float(text), "")
    except ValueError:
        return (1, 0.0, text)


def sample_map(
    points: NDArray[np.float64], y: NDArray[np.int64], ids: NDArray[np.int64], classes: Sequence[str],
    ringed: NDArray[np.bool_], bounds: tuple[float, float, float, float], *, title: str,
) -> go.Figure:  # fmt: skip
    """Samples as one network sees them, colored by class.

    Args:
        points: (n, 2).
        y: (n,) classes.
        ids: (n,) sample ids, the customdata (as text).
        classes: names.
        ringed: samples drawn with a ring.
        bounds: (left, right, bottom, top), the same for two maps that are compared.
        title: above the map.

    Returns:
        One trace per class, then one of rings.
    """
    figure = go.Figure()
    for k, name in enumerate(classes):
        rows = np.flatnonzero(y == k)
        figure.add_scatter(
            x=points[rows, 0], y=points[rows, 1], mode="markers", name=for_figure(name),
            customdata=[[str(int(i))] for i in ids[rows]],
            marker={"size": 7, "color": style.CATEGORICAL[k % 8], "symbol": style.SYMBOLS[(k // 8 + k) % 6], "opacity": 0.8},
            hovertemplate=f"sample %{{customdata[0]}}<br>class {for_figure(name)}<extra></extra>",
            selected={"marker": {"opacity": 1, "size": 10}}, unselected={"marker": {"opacity": 0.25}},
        )  # fmt: skip
    figure.add_scatter(
        x=points[ringed, 0], y=points[ringed, 1], mode="markers", name="neighbors differ most", hoverinfo="skip",
        marker={"size": 14, "symbol": "circle-open", "color": style.SELECTED, "line": {"width": 1.5}},
        unselected={"marker": {"opacity": 1}},
    )  # fmt: skip
    axis = {"showticklabels": False, "ticks": "", "zeroline": False}
    figure.update_xaxes(axis, range=list(bounds[:2]))
    figure.update_yaxes(axis, range=list(bounds[2:]))
    figure.update_layout(
        height=470, margin={"l": 10, "r": 10, "t": 34, "b": 10}, hovermode="closest", dragmode="lasso",
        title={"text": for_figure(title), "font": {"size": 14}}, legend={"orientation": "h", "y": -0.04, "x": 0},
    )  # fmt: skip
    return figure
