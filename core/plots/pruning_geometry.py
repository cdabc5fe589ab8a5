"""Samples in the last feature space of a pruned network: angle, norm and margin, and where they came from."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.colors import sample_colorscale

from core import words
from core.errors import InvalidInput
from core.plots import room, style
from core.plots.experiments import COLORS, empty_figure
from core.plots.numbers import ink
from core.plots.task_geometry import cosine_figure
from core.text import for_figure
from core.views.pruning_samples import LocalData
from core.words import format_tick

MOST_ARROWS = 200
MOST_CLASSES = 12
# Red is beyond the boundary, blue is safe; the grey middle is visible on light and on dark pages.
MARGIN_SCALE = ((0, "#B2182B"), (0.38, "#E07B5E"), (0.5, "#B4B8BF"), (0.62, "#5B9FD0"), (1, "#2166AC"))


@dataclass(frozen=True)
class LocalBounds:
    """Ranges that charts share so that they can be compared: (low, high) of the axes, reach of the color."""

    angle: tuple[float, float]
    norm: tuple[float, float]
    margin: float


def local_bounds(*parts: LocalData) -> LocalBounds:
    """Ranges that hold the samples of all parts, the parents' places included."""
    angles = _joined([a for d in parts for a in (d.angle, d.parent_angle) if a is not None])
    norms = _joined([a for d in parts for a in (d.norm, d.parent_norm) if a is not None])
    margins = np.abs(_joined([d.margin for d in parts]))
    # A few far samples would make all others the color of the boundary.
    reach = float(np.quantile(margins, 0.98)) if len(margins) else 1.0
    return LocalBounds(_padded(angles, 90.0), _padded(norms, 1.0), reach or 1.0)


def local_geometry(
    data: LocalData, *, selected: Collection[int | str] = (), arrows: bool = False, edition: int = 0,
    bounds: LocalBounds | None = None, title: str = "", vertical: str = "norm",
) -> go.Figure:  # fmt: skip
    """Angle against norm (or margin), colored by the margin; a cross is a wrong answer.

    Args:
        data: the samples.
        selected: ids of samples that stand out when the figure appears.
        arrows: draw how the samples whose margins changed most came from the parent's place (a small dot).
        edition: another number makes the browser forget what was selected here.
        bounds: ranges shared with another chart.
        title: above the chart.
        vertical: "norm" or "margin", what goes up.

    Returns:
        Traces: the ways and their starts (with arrows), then right and wrong answers with the ids
        as text in customdata, then two keys.
    """
    if not len(data.ids):
        return empty_figure("No sample to show.", 470)
    ranges = bounds or local_bounds(data)
    figure = go.Figure()
    up, parents_up = (
        (data.margin, data.parent_margin) if vertical == "margin" else (data.norm, data.parent_norm)
    )
    if arrows and data.parent_angle is not None and parents_up is not None:
        _ways(figure, data, data.parent_angle, parents_up, up)
    chosen = np.isin(data.ids.astype(str), [str(i) for i in selected])
    for name, symbol, rows in (
        ("right", "circle", np.flatnonzero(data.correct)), ("wrong", "x", np.flatnonzero(~data.correct)),
    ):  # fmt: skip
        figure.add_scatter(
            x=data.angle[rows], y=up[rows], mode="markers", name=name, customdata=[[str(int(i))] for i in data.ids[rows]],
            marker={"symbol": symbol, "size": 7, "color": np.clip(data.margin[rows], -ranges.margin, ranges.margin), "coloraxis": "coloraxis", "opacity": 0.85, "line": {"width": 0.4, "color": style.DOMINATED}},
            hovertext=[_hover(data, int(i)) for i in rows], hovertemplate="%{hovertext}<extra></extra>",
            selected={"marker": {"opacity": 1, "size": 11}}, unselected={"marker": {"opacity": 0.25}},
            selectedpoints=np.flatnonzero(chosen[rows]).tolist() if chosen.any() else None, legendgroup=name, showlegend=False,
        )  # fmt: skip
    for name, symbol in (("right", "circle"), ("wrong", "x")):
        # Markers colored by a scale would be black in the legend, and not seen on a dark page.
        figure.add_scatter(
            x=[None], y=[None], mode="markers", name=name, legendgroup=name, hoverinfo="skip",
            marker={"symbol": symbol, "size": 8, "color": style.DOMINATED},
        )  # fmt: skip
    figure.update_xaxes(title={"text": "Angle to the class"}, ticksuffix="°", range=list(ranges.angle), zeroline=False)  # fmt: skip
    if vertical == "margin":
        height = _padded(_joined([a for a in (data.margin, data.parent_margin) if a is not None]), 1.0)
        figure.update_yaxes(title={"text": "Margin"}, range=list(height), zeroline=True, automargin=True)
    else:
        figure.update_yaxes(title={"text": "Feature norm"}, range=list(ranges.norm), zeroline=False, automargin=True)  # fmt: skip
    figure.update_layout(
        height=470, margin={"l": 65, "r": 106, "t": 34 if title else 10, "b": 92}, hovermode="closest", dragmode="select", clickmode="event",
        meta={"edition": edition}, title={"text": for_figure(title), "font": {"size": 14}} if title else None,
        legend={"orientation": "h", "x": 0, "y": -0.14, "yanchor": "top"},
        coloraxis={
            "colorscale": [list(c) for c in MARGIN_SCALE], "cmin": -ranges.margin, "cmax": ranges.margin,
            "colorbar": {"title": {"text": "margin", "side": "right"}, "thickness": 12, "outlinewidth": 0},
        },
    )  # fmt: skip
    return figure


def _ways(
    figure: go.Figure, data: LocalData, angle: NDArray[np.float64], before: NDArray[np.float64], up: NDArray[np.float64]
) -> None:  # fmt: skip
    """One line trace for all ways: an annotation per arrow would take the browser seconds."""
    change = data.margin - data.parent_margin if data.parent_margin is not None else data.angle - angle
    known = np.flatnonzero(np.isfinite(change) & np.isfinite(angle) & np.isfinite(before))
    rows = known[np.argsort(-np.abs(change[known]), kind="stable")[:MOST_ARROWS]]
    nothing = np.full(len(rows), math.nan)
    figure.add_scatter(
        x=np.column_stack([angle[rows], data.angle[rows], nothing]).ravel(),
        y=np.column_stack([before[rows], up[rows], nothing]).ravel(), mode="lines", name="way from the parent",
        line={"color": style.DOMINATED, "width": 1}, hoverinfo="skip", showlegend=False,
    )  # fmt: skip
    figure.add_scatter(
        x=angle[rows], y=before[rows], mode="markers", name=f"in the parent ({len(rows)} largest changes)", hoverinfo="skip",
        marker={"size": 4, "color": style.DOMINATED}, unselected={"marker": {"opacity": 1}},
    )  # fmt: skip


def _hover(data: LocalData, i: int) -> str:
    names = [for_figure(data.classes[int(k)]) for k in (data.y[i], data.predicted[i], data.rival[i])]
    return (
        f"<b>sample {int(data.ids[i])}</b><br>class {names[0]}, predicted {names[1]}<br>nearest rival {names[2]}"
        f"<br>margin {data.margin[i]:.3f}, probability {data.probability[i]:.3f}"
    )


def _joined(parts: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    values = np.concatenate([np.zeros(0), *(np.asarray(p, float) for p in parts)])
    return values[np.isfinite(values)]


def _padded(values: NDArray[np.float64], otherwise: float) -> tuple[float, float]:
    if not len(values):
        return 0.0, otherwise
    low, high = float(values.min()), float(values.max())
    space = 0.05 * (high - low) or 1.0
    # Angles and lengths start at zero: little space is left below it.
    return max(low - space, min(low, 0.0) - 0.4 * space), high + space


def class_lines(
    classes: Sequence[str], values: NDArray[np.float64], models: Sequence[str], *, metric: str
) -> go.Figure:
    """A row per class with a dot per model, joined by a line.

    Args:
        classes: names; the customdata is the class number as text.
        values: (models, classes), for example mean angles; NaN leaves a dot out.
        models: names.
        metric: axis text.

    Returns:
        Traces: the joining lines, then one per model.
    """
    if not len(classes) or not len(models):
        return empty_figure("No class to compare.", 320)
    x: list[float | None] = []
    y: list[float | None] = []
    for k in range(len(classes)):
        known = values[:, k][np.isfinite(values[:, k])]
        if len(known) > 1:
            x += [float(known.min()), float(known.max()), None]
            y += [float(k), float(k), None]
    figure = go.Figure()
    figure.add_scatter(
        x=x, y=y, mode="lines", hoverinfo="skip", showlegend=False, name="difference",
        line={"color": style.DOMINATED, "width": 3},
    )  # fmt: skip
    for m, model in enumerate(models):
        shown = np.flatnonzero(np.isfinite(values[m]))
        figure.add_scatter(
            x=values[m, shown], y=shown, mode="markers", name=for_figure(model), customdata=[[str(int(k))] for k in shown],
            marker={"size": 11, "color": style.CATEGORICAL[m % 8], "symbol": style.SYMBOLS[m % 6]},
            hovertext=[for_figure(classes[int(k)]) for k in shown],
            hovertemplate=f"%{{hovertext}}<br>{for_figure(metric)} <b>%{{x:.4g}}</b><extra>{for_figure(model)}</extra>",
            selected={"marker": {"opacity": 1}}, unselected={"marker": {"opacity": 0.4}},
        )  # fmt: skip
    figure.update_xaxes(title={"text": for_figure(metric)}, zeroline=False)
    figure.update_yaxes(
        tickvals=list(range(len(classes))), ticktext=[for_figure(c, 24) for c in classes], zeroline=False,
        range=[len(classes) - 0.5, -0.5], automargin=True, ticks="",
    )  # fmt: skip
    figure.update_layout(
        height=int(min(max(110 + 26 * len(classes), 240), 900)),
        margin={"l": room.left_of([for_figure(c, 24) for c in classes], title=False), "r": 10, "t": 10, "b": room.BELOW},
        hovermode="closest", legend={"orientation": "h", "x": 0, "y": 1.01, "yanchor": "bottom"},
    )  # fmt: skip
    return figure


def parallel_angles(
    angles: NDArray[np.float64], y: NDArray[np.int64], margin: NDArray[np.float64], norm: NDArray[np.float64],
    classes: Sequence[str], *, shown: NDArray[np.int64] | None = None,
) -> go.Figure:  # fmt: skip
    """A line per sample through its angle to every class, its own angle, norm and margin; the color is its class.

    Args:
        angles: (n, C) degrees to the row of every class.
        y: (n,) true classes.
        margin, norm: (n,).
        classes: names.
        shown: rows that are drawn; all without it.

    Raises:
        InvalidInput: more than 12 classes, whose axes and colors nobody could tell apart.
    """
    if len(classes) > MOST_CLASSES:
        raise InvalidInput(f"Angles to more than {MOST_CLASSES} classes cannot be told apart in one figure.")
    rows = np.arange(len(y)) if shown is None else np.asarray(shown, int)
    own = angles[rows, y[rows]] if len(rows) else np.zeros(0)
    table = np.column_stack([angles[rows], own, norm[rows], margin[rows]]) if len(rows) else np.zeros((0, 0))
    whole = np.isfinite(table).all(axis=1)
    if not whole.any():
        return empty_figure("No sample to show.", 430)
    low, high = float(table[whole][:, :-2].min()), float(table[whole][:, :-2].max())
    labels = [*(for_figure(c, 14) for c in classes), "own class", "norm", "margin"]
    span = [10 * math.floor(low / 10), 10 * math.floor(high / 10 + 1)]
    # One range for all angles: their heights can be compared across the axes.
    dimensions = [
        {"label": label, "values": table[whole][:, k]} | ({"range": span} if k <= len(classes) else {"tickformat": ".3~r"})
        for k, label in enumerate(labels)
    ]  # fmt: skip
    figure = go.Figure()
    figure.add_parcoords(
        dimensions=dimensions, labelangle=-30, labelside="top", tickfont={"size": 10}, labelfont={"size": 12},
        line={
            "color": y[rows][whole], "colorscale": _steps(len(classes)), "cmin": -0.5, "cmax": len(classes) - 0.5, "showscale": True,
            "colorbar": {"tickvals": list(range(len(classes))), "ticktext": [for_figure(c, 14) for c in classes], "thickness": 12, "outlinewidth": 0},
        }, unselected={"line": {"color": style.DOMINATED, "opacity": 0.05}},
    )  # fmt: skip
    figure.update_layout(height=430, margin={"l": 40, "r": 10, "t": 80, "b": 20})
    return figure


def _steps(classes: int) -> list[list[float | str]]:
    return [[(k + end) / classes, COLORS[k]] for k in range(classes) for end in (0, 1)]


def class_cosines(cosines: NDArray[np.float64], classes: Sequence[str], title: str) -> go.Figure:
    """Cosines between class means against the simplex's -1/(C-1), which the subtitle names.

    Args:
        cosines: (C, C); NaN where a class has no sample.
        classes: names.
        title: above the matrix.
    """
    if len(classes) < 2:
        return empty_figure("Fewer than two classes have no angle.", 430)
    target = -1 / (len(classes) - 1)
    figure = cosine_figure(cosines, classes, title=title)
    figure.update_traces(hoverongaps=False, selector={"type": "heatmap"})
    aim = f"{target:.2f}".replace("-", words.MINUS)
    figure.update_layout(
        title={"subtitle": {"text": f"collapsed: all {aim}", "font": {"size": 12}}}, margin={"t": 56}
    )
    return figure


def fragility(methods: Sequence[str], sparsities: Sequence[float], counts: NDArray[np.int64]) -> go.Figure:
    """How many samples each method first gets wrong at which sparsity, a bar per method.

    Args:
        methods: names.
        sparsities: ascending; 0 is the network before pruning.
        counts: (methods, sparsities + 1) samples; the last column never failed.

    Returns:
        One trace per sparsity, then "never"; customdata is "method|sparsity" and "method|never".
    """
    if not len(methods) or not counts.sum():
        return empty_figure("No sample has been followed yet.", 260)
    colors = sample_colorscale("Cividis", np.linspace(0.15, 0.97, len(sparsities)).tolist()) if len(sparsities) else []  # fmt: skip
    names = [for_figure(m, 32) for m in methods]
    keys = [*(f"{s:g}" for s in sparsities), "never"]
    labels = ["before pruning" if s == 0 else format_tick(s) for s in sparsities] + ["never"]
    totals = np.maximum(counts.sum(axis=1), 1)
    figure = go.Figure()
    for k, label in enumerate(labels):
        part = counts[:, k] / totals
        figure.add_bar(
            x=part * 100, y=list(range(len(names))), orientation="h", name=label, customdata=[[f"{m}|{keys[k]}"] for m in methods],
            marker={"color": [*colors, "#B4B8BF"][k], "line": {"width": 0}},
            text=[words.format_count(c) if p > 0.04 else "" for c, p in zip(counts[:, k], part, strict=True)],
            textposition="inside", insidetextanchor="middle", textangle=0, textfont={"size": 10, "color": ink([*colors, "#B4B8BF"][k])},
            hovertext=[f"{n}<br>{'never wrong' if label == 'never' else f'first wrong: {label}'}<br><b>{words.format_count(c)}</b> samples ({100 * p:.1f} %)" for n, c, p in zip(names, counts[:, k], part, strict=True)],
            hovertemplate="%{hovertext}<extra></extra>",
            selected={"marker": {"opacity": 1}}, unselected={"marker": {"opacity": 0.5}},
        )  # fmt: skip
    figure.update_xaxes(title={"text": "Share of the samples (%)"}, ticksuffix=" %", range=[0, 100], zeroline=False)  # fmt: skip
    figure.update_yaxes(tickvals=list(range(len(names))), ticktext=names, range=[len(names) - 0.5, -0.5], automargin=True, ticks="")  # fmt: skip
    figure.update_layout(
        barmode="stack", bargap=0.25, height=int(min(max(130 + 30 * len(names), 240), 900)), hovermode="closest",
        margin={"l": 10, "r": 30, "t": 10, "b": 10},
        legend={"orientation": "h", "x": 0, "y": 1.01, "yanchor": "bottom", "traceorder": "normal", "title": {"text": "First wrong at  "}},
    )  # fmt: skip
    return figure
