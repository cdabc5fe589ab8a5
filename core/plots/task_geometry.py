"""Figures of alignment along depth, of collapse, and of feature complexity."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from core.plots import style
from core.plots.numbers import CellColors, add_numbers
from core.text import for_figure


def depth_figure(
    paths: Mapping[str, Sequence[tuple[str, str, float, float]]],
    *,
    baseline: float,
    titles: Mapping[str, str],
) -> go.Figure:
    """Target alignment against input alignment: a line per model, a point per layer, larger with depth.

    Args:
        paths: model id -> (layer id, label, input alignment, target alignment) from first to last layer;
            NaN leaves a gap.
        baseline: CKA of pixels and labels, drawn as a dotted line.
        titles: model id -> name.

    Returns:
        One trace per model; customdata is the layer id.
    """
    figure = go.Figure()
    for index, (model_id, path) in enumerate(paths.items()):
        sizes = np.linspace(7, 17, len(path)) if len(path) > 1 else np.array([12.0])
        figure.add_scatter(
            x=[p[2] for p in path],
            y=[p[3] for p in path],
            mode="lines+markers",
            name=for_figure(titles[model_id]),
            customdata=[[p[0]] for p in path],
            line=style.line(index, 1.5),
            marker={"size": sizes, "symbol": style.SYMBOLS[index % 6], "color": style.CATEGORICAL[index % 8]},
            hovertext=[f"{for_figure(p[1])}<br>input {p[2]:.2f}, target {p[3]:.2f}" for p in path],
            hovertemplate="%{hovertext}<extra>" + for_figure(titles[model_id]) + "</extra>",
            unselected={"marker": {"opacity": 0.6}},
        )
    figure.add_hline(
        baseline,
        line={"color": style.DOMINATED, "dash": "dot"},
        annotation_text="pixels against labels",
        annotation_position="bottom right",
    )
    _lay_out(figure, "Input alignment (CKA with the pixels)", "Target alignment (CKA with the labels)")
    figure.update_layout(height=440)
    figure.update_xaxes(range=[-0.03, 1.03])
    figure.update_yaxes(range=[-0.03, 1.03])
    return figure


def decodability_figure(
    lines: Mapping[str, tuple[Sequence[str], Sequence[float]]], *, chance: float
) -> go.Figure:
    """Held-out accuracy of a linear readout along depth, in percent.

    Args:
        lines: name -> (labels, accuracies as fractions), drawn over the relative depth.
        chance: accuracy of guessing.
    """
    figure = go.Figure()
    for index, (name, (labels, values)) in enumerate(lines.items()):
        figure.add_scatter(
            x=np.linspace(0, 1, len(values)) if len(values) > 1 else [0.5],
            y=[v * 100 for v in values],
            mode="lines+markers",
            name=for_figure(name),
            hovertext=[for_figure(label) for label in labels],
            hovertemplate="%{hovertext}<br>%{y:.1f} %<extra></extra>",
            line=style.line(index),
            marker={"symbol": style.SYMBOLS[index % 6], "size": 8},
        )
    figure.add_hline(
        chance * 100,
        line={"color": style.DOMINATED, "dash": "dot"},
        annotation_text="guessing",
        annotation_position="bottom right",
    )
    _lay_out(figure, "Depth (first to last stage)", "Linear readout, held-out accuracy (%)")
    figure.update_layout(height=440)
    figure.update_xaxes(tickvals=[0, 1], ticktext=["first", "last"])
    figure.update_yaxes(range=[0, 103], ticksuffix=" %")
    return figure


def cosine_figure(cosines: NDArray[np.float64], classes: Sequence[str], *, title: str) -> go.Figure:
    """Cosines between class means. White is the simplex's -1/(C-1): red is closer together, blue farther apart.

    Args:
        cosines: (C, C).
        classes: names.
        title: above the matrix.
    """
    target = -1 / max(1, len(classes) - 1)
    others = cosines[~np.eye(len(classes), dtype=bool)]
    # A class without samples has no mean, and a single class no other.
    reach = float(np.abs(others[np.isfinite(others)] - target).max(initial=0.05))
    shown = np.where(np.eye(len(classes), dtype=bool), math.nan, cosines)
    names = [for_figure(c) for c in classes]
    figure = go.Figure()
    figure.add_heatmap(
        z=shown,
        x=names,
        y=names,
        zmin=target - reach,
        zmax=target + reach,
        colorscale="RdBu",
        reversescale=True,
        xgap=1,
        ygap=1,
        name="cosines",
        hovertemplate="%{y} and %{x}<br>cosine %{z:.3f}<extra></extra>",
        colorbar={"title": {"text": "cosine", "side": "right"}, "thickness": 12, "outlinewidth": 0},
    )
    if len(classes) <= 12:
        texts = [[f"{v:.2f}" for v in row] for row in shown]
        colors = CellColors(target - reach, target + reach, "RdBu", reverse=True)
        add_numbers(figure, shown, texts, colors, names=names)
    figure.update_layout(
        height=430,
        showlegend=False,
        margin={"l": 10, "r": 10, "t": 34, "b": 10},
        title={"text": for_figure(title), "font": {"size": 14}},
    )
    axis = {"type": "category", "showgrid": False, "ticks": ""}
    figure.update_xaxes(axis)
    figure.update_yaxes(axis, autorange="reversed")
    return figure


def information_figure(
    information: NDArray[np.float64], complexity: NDArray[np.float64], layers: Sequence[str]
) -> go.Figure:
    """How much of each feature can be read out at each layer; simple features on top.

    Args:
        information: (features, layers), 0-1.
        complexity: (features,).
        layers: labels.

    Returns:
        The heatmap, and squares over it that answer clicks; customdata is "f3" for feature 3.
    """
    order = np.argsort(complexity, kind="stable")
    rows, columns = len(order), len(layers)
    figure = go.Figure()
    figure.add_heatmap(
        z=information[order],
        x=list(range(columns)),
        y=list(range(rows)),
        zmin=0,
        zmax=1,
        colorscale="Cividis",
        hoverinfo="skip",
        xgap=1,
        ygap=0.5,
        name="readable",
        colorbar={
            "title": {"text": "readable share of variance", "side": "right"},
            "thickness": 12,
            "outlinewidth": 0,
        },
    )
    places = [(i, j) for i in range(rows) for j in range(columns)]
    figure.add_scatter(
        x=[j for _, j in places],
        y=[i for i, _ in places],
        mode="markers",
        name="features",
        customdata=[[f"f{order[i]}"] for i, _ in places],
        hovertext=[
            f"feature {order[i]}, {for_figure(layers[j])}<br>readable {information[order[i], j]:.2f}<br>complexity {complexity[order[i]]:.2f}"
            for i, j in places
        ],
        hovertemplate="%{hovertext}<extra></extra>",
        marker={
            "symbol": "square-open",
            "size": 11,
            "opacity": 0,
            "color": style.SELECTED,
            "line": {"width": 2},
        },
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 0}},
    )
    axis = {"showgrid": False, "zeroline": False, "ticks": "", "fixedrange": True}
    figure.update_xaxes(
        axis,
        tickvals=list(range(columns)),
        ticktext=[for_figure(t) for t in layers],
        range=[-0.5, columns - 0.5],
    )
    figure.update_yaxes(
        axis, title={"text": "Features, the simplest on top"}, showticklabels=False, range=[rows - 0.5, -0.5]
    )
    figure.update_layout(
        height=470,
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        showlegend=False,
        hovermode="closest",
        dragmode=False,
    )
    return figure


def complexity_figure(complexity: NDArray[np.float64], importance: NDArray[np.float64]) -> go.Figure:
    """Importance of each feature against its complexity; customdata is "f3" for feature 3."""
    figure = go.Figure()
    figure.add_scatter(
        x=complexity,
        y=importance * 100,
        mode="markers",
        name="features",
        customdata=[[f"f{i}"] for i in range(len(complexity))],
        hovertext=[
            f"feature {i}<br>complexity {c:.2f}<br>{100 * v:.1f} % of the contributions"
            for i, (c, v) in enumerate(zip(complexity, importance, strict=True))
        ],
        hovertemplate="%{hovertext}<extra></extra>",
        marker={"size": 10, "color": style.FRONT, "opacity": 0.8},
        selected={"marker": {"color": style.SELECTED, "size": 15, "opacity": 1}},
        unselected={"marker": {"opacity": 0.5}},
    )
    _lay_out(
        figure,
        "Complexity (0 readable everywhere, 1 nowhere)",
        "Share of all contributions to the logits (%)",
    )
    figure.update_layout(height=470, showlegend=False)
    figure.update_xaxes(range=[-0.03, 1.03])
    figure.update_yaxes(rangemode="tozero")
    return figure


def _lay_out(figure: go.Figure, x: str, y: str) -> None:
    figure.update_layout(
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        legend={"orientation": "h", "y": 1.12, "x": 0},
        hovermode="closest",
    )
    figure.update_xaxes(title={"text": x})
    figure.update_yaxes(title={"text": y})
