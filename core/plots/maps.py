"""Maps: networks as points, and samples as two networks see them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from core.plots import style
from core.text import for_figure


def model_map(
    points: NDArray[np.float64],
    ids: Sequence[str],
    titles: Sequence[str],
    values: Sequence[float | str],
    *,
    label: str,
    percent: bool = False,
    named: Mapping[str, str] | None = None,
    alone: Sequence[bool] = (),
) -> go.Figure:
    """Networks as points; near means alike.

    Args:
        points: (n, 2).
        ids: model ids, the customdata.
        titles: for the hover text.
        values: one number per network (NaN is drawn grey), or one option (a text), for the color.
        label: what the values are.
        percent: whether numbers are fractions, drawn in percent.
        named: ids that are written beside their point, id -> text.
        alone: which networks were trained alone; drawn as stars where the color is a number.

    Returns:
        A trace of numbers and one of what has none, or a trace per option; then one of names. Axes have no
        unit and equal scales.
    """
    figure = go.Figure()
    if any(isinstance(v, str) for v in values):
        _options(figure, points, ids, titles, [str(v) for v in values], label)
    else:
        _numbers(
            figure=figure,
            points=points,
            ids=ids,
            titles=titles,
            values=np.array(values, float),
            label=label,
            percent=percent,
            alone=alone,
        )
    if at := [list(ids).index(i) for i in named or {} if i in ids]:
        figure.add_scatter(
            x=points[at, 0],
            y=points[at, 1],
            mode="markers+text",
            text=[for_figure((named or {})[ids[i]]) for i in at],
            name="selected",
            textposition="top center",
            textfont={"color": style.SELECTED, "size": 13},
            hoverinfo="skip",
            showlegend=False,
            marker={"size": 18, "symbol": "circle-open", "color": style.SELECTED, "line": {"width": 2}},
            unselected={"marker": {"opacity": 1}, "textfont": {"color": style.SELECTED}},
        )
    axis = {"showticklabels": False, "ticks": "", "zeroline": False, "showgrid": False, "title": None}
    figure.update_xaxes(axis)
    figure.update_yaxes(axis, scaleanchor="x")
    figure.update_layout(
        height=480,
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        hovermode="closest",
        legend={"orientation": "h", "y": 1.08, "x": 0},
    )
    return figure


def _numbers(
    figure: go.Figure,
    points: NDArray[np.float64],
    ids: Sequence[str],
    titles: Sequence[str],
    values: NDArray[np.float64],
    label: str,
    percent: bool,
    alone: Sequence[bool],
) -> None:
    shown = values * (100 if percent else 1)
    text = ["not measured" if np.isnan(v) else f"{v:.2f} %" if percent else f"{v:,.4g}" for v in shown]
    symbols = ["star" if k < len(alone) and alone[k] else "circle" for k in range(len(ids))]
    known, unknown = np.flatnonzero(np.isfinite(shown)), np.flatnonzero(~np.isfinite(shown))
    if len(known):
        bar = {"title": {"text": for_figure(f"{label} (%)" if percent else label), "side": "right"}}
        marker = {
            "size": 11,
            "color": shown[known].tolist(),
            "colorscale": "Cividis",
            "symbol": [symbols[k] for k in known],
            "colorbar": bar | {"thickness": 12, "outlinewidth": 0},
        }
        _points(
            figure=figure,
            points=points,
            rows=known.tolist(),
            ids=ids,
            titles=titles,
            text=text,
            label=label,
            marker=marker,
            name="networks",
        )
    if len(unknown):
        marker = {"size": 11, "color": style.DOMINATED, "symbol": [symbols[k] for k in unknown]}
        _points(
            figure=figure,
            points=points,
            rows=unknown.tolist(),
            ids=ids,
            titles=titles,
            text=text,
            label=label,
            marker=marker,
            name="not measured",
        )


def _options(
    figure: go.Figure,
    points: NDArray[np.float64],
    ids: Sequence[str],
    titles: Sequence[str],
    values: Sequence[str],
    label: str,
) -> None:
    for k, option in enumerate(sorted(set(values), key=_natural)):
        rows = [i for i, v in enumerate(values) if v == option]
        marker = {"size": 11, "color": style.CATEGORICAL[k % 8], "symbol": style.SYMBOLS[k % 6]}
        _points(
            figure=figure,
            points=points,
            rows=rows,
            ids=ids,
            titles=titles,
            text=values,
            label=label,
            marker=marker,
            name=f"{label} {option}",
        )


def _points(
    figure: go.Figure,
    points: NDArray[np.float64],
    rows: Sequence[int],
    ids: Sequence[str],
    titles: Sequence[str],
    text: Sequence[str],
    label: str,
    marker: dict,
    name: str,
) -> None:
    figure.add_scatter(
        x=[float(points[i, 0]) for i in rows],
        y=[float(points[i, 1]) for i in rows],
        mode="markers",
        customdata=[[ids[i]] for i in rows],
        name=for_figure(name),
        marker=marker | {"line": {"width": 0.7, "color": style.DOMINATED}},
        hovertext=[f"{for_figure(titles[i])}<br>{for_figure(label)}: {for_figure(text[i])}" for i in rows],
        hovertemplate="%{hovertext}<extra></extra>",
        showlegend="colorbar" not in marker,
        selected={"marker": {"size": 16}},
        unselected={"marker": {"opacity": 0.6}},
    )


def _natural(text: str) -> tuple[int, float, str]:
    try:
        return (0, float(text), "")
    except ValueError:
        return (1, 0.0, text)


def sample_map(
    points: NDArray[np.float64],
    y: NDArray[np.int64],
    ids: NDArray[np.int64],
    classes: Sequence[str],
    ringed: NDArray[np.bool_],
    bounds: tuple[float, float, float, float],
    *,
    title: str,
    selected: Collection[int] = (),
    edition: int = 0,
) -> go.Figure:
    """Samples as one network sees them, colored by class.

    Args:
        points: (n, 2).
        y: (n,) classes.
        ids: (n,) sample ids, the customdata (as text).
        classes: names.
        ringed: samples drawn with a ring.
        bounds: (left, right, bottom, top), the same for two maps that are compared.
        title: above the map.
        selected: ids of samples that stand out when the map appears (selected on another map).
        edition: another number makes the browser forget what was selected on this map.

    Returns:
        One trace per class, then one of rings.
    """
    figure = go.Figure()
    wanted = np.isin(ids, list(selected))
    for k, name in enumerate(classes):
        rows = np.flatnonzero(y == k)
        figure.add_scatter(
            x=points[rows, 0],
            y=points[rows, 1],
            mode="markers",
            name=for_figure(name),
            customdata=[[str(int(i))] for i in ids[rows]],
            marker={
                "size": 7,
                "color": style.CATEGORICAL[k % 8],
                "symbol": style.SYMBOLS[(k // 8 + k) % 6],
                "opacity": 0.8,
            },
            hovertemplate=f"sample %{{customdata[0]}}<br>class {for_figure(name)}<extra></extra>",
            selected={"marker": {"opacity": 1, "size": 10}},
            unselected={"marker": {"opacity": 0.25}},
            selectedpoints=np.flatnonzero(wanted[rows]).tolist() if wanted.any() else None,
        )
    figure.add_scatter(
        x=points[ringed, 0],
        y=points[ringed, 1],
        mode="markers",
        name="neighbors differ most",
        hoverinfo="skip",
        marker={"size": 14, "symbol": "circle-open", "color": style.SELECTED, "line": {"width": 1.5}},
        unselected={"marker": {"opacity": 1}},
    )
    axis = {"showticklabels": False, "ticks": "", "zeroline": False, "showgrid": False}
    figure.update_xaxes(axis, range=list(bounds[:2]))
    figure.update_yaxes(axis, range=list(bounds[2:]))
    figure.update_layout(
        height=470,
        margin={"l": 10, "r": 10, "t": 34, "b": 10},
        hovermode="closest",
        dragmode="lasso",
        meta={"edition": edition},
        title={"text": for_figure(title), "font": {"size": 14}},
        legend={"orientation": "h", "y": -0.04, "x": 0},
    )
    return figure
