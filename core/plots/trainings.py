"""Figures of a comparison of trainings: accuracy by cost, what was drawn over time, and where gradients disagree."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.colors import sample_colorscale
from plotly.subplots import make_subplots

from core.objectives.base import objective
from core.plots import style
from core.plots.axes import room_above
from core.plots.finished import finished
from core.plots.over_seeds import add_mean_and_band, add_seeds
from core.text import for_figure
from core.training.watch_rows import SIZES
from core.views.trainings_compared import ByCost
from core.views.trainings_watched import Conflict, Drawn, SizesOverTime

_LEGEND = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}
_ABOVE = {"orientation": "h", "x": 0, "yref": "container", "y": 1, "yanchor": "top"}
_PANEL, _BETWEEN, _BELOW = 150, 56, 44
"""Pixels of a panel, between two of them, and below the last."""
_SIZE_DASHES = dict(zip(SIZES, ("dot", "dash", "solid"), strict=True))


def accuracy_by_cost_figure(found: ByCost, *, apart: bool = False) -> go.Figure:
    """Mean test accuracy of subnets that lie side by side by MACs: a line per method with a band over its seeds.

    Args:
        found: of the comparison.
        apart: a line per seed instead of their mean and band.

    Returns:
        Per method a band (two seeds and more), thin lines of single seeds (two to four) and the mean; in percent over
        MACs on a logarithmic axis.
    """
    figure = go.Figure()
    for index, (label, values) in enumerate(found.values.items()):
        name = for_figure(f"{label} · n = {len(values)}" if len(values) > 1 else label)
        hover = "around %{x:.3s} MACs<br>%{y:.1f} %"
        add = add_seeds if apart or len(values) == 1 else add_mean_and_band
        add(figure, 100 * values, line=style.line(index), name=name, hover=hover, x=found.macs.tolist())
    _finish(figure, "Test accuracy", 360)
    macs = objective("macs")
    figure.update_xaxes(title={"text": for_figure(macs.label)}, type="log", dtick="D2", tickformat="~s")
    figure.update_yaxes(ticksuffix=" %")
    return finished(figure)


def drawn_figure(found: Sequence[Drawn], classes: Sequence[str], *, losses: bool = False) -> go.Figure:
    """Which classes of cost were drawn in every epoch, a panel per method.

    Args:
        found: of the methods.
        classes: what the classes are called, from the cheapest.
        losses: the mean loss of what was drawn instead of its share of the draws.

    Returns:
        Per method and class an area (shares, stacked to 100 %) or a line (losses), and, over the areas, dotted lines
        where uniform draws would lie.
    """
    panels = max(1, len(found))
    height = panels * _PANEL + (panels - 1) * _BETWEEN
    figure = make_subplots(
        rows=panels,
        cols=1,
        vertical_spacing=_BETWEEN / height,
        subplot_titles=[for_figure(each.label) for each in found],
    )
    figure.update_annotations(x=0, xanchor="left", font={"size": 13})
    n = len(classes)
    colors = sample_colorscale("Viridis", [0.08 + 0.84 * k / max(1, n - 1) for k in range(n)])
    for row, each in enumerate(found, 1):
        for k in range(n):
            values = each.losses[:, k] if losses else 100 * each.shares[:, k]
            figure.add_scatter(
                name=for_figure(classes[k]),
                legendgroup=str(k),
                showlegend=row == 1,
                x=list(each.epochs),
                y=_gaps(values),
                mode="lines" if len(each.epochs) > 1 else "lines+markers",
                line={
                    "color": colors[k],
                    "width": 2 if losses else 0.5,
                    "dash": style.DASHES[k % 4] if losses else "solid",
                },
                stackgroup=None if losses else str(row),
                fillcolor=None if losses else colors[k],
                hovertemplate=_hover(classes[k], losses),
                row=row,
                col=1,
            )
        if not losses:
            _add_uniform(figure, each, row)
    _finish(figure, "", height, title=22)
    figure.update_layout(legend={"title": {"text": "MACs"}, "traceorder": "normal"})
    figure.update_yaxes(
        title={"text": "Loss" if losses else "Share of draws"}, ticksuffix="" if losses else " %"
    )
    if not losses:
        figure.update_yaxes(range=[0, 100])
    figure.update_xaxes(title={"text": "Epoch"}, row=panels, col=1)
    return finished(figure)


def conflict_figure(found: Sequence[Conflict], stages: Sequence[str], *, point: int, pair: int) -> go.Figure:
    """Cosine of the gradients of two sizes, stage by stage: a line per method with a band over its seeds.

    Args:
        found: of the methods.
        stages: what the stages are called.
        point: at which of the points of the training; the last one that a method has, where it has fewer.
        pair: which of the three pairs.

    Returns:
        Per method as in `accuracy_by_cost_figure`; a line at 0, below which what helps one size harms the other.
    """
    figure = go.Figure()
    places = list(range(len(stages)))
    for index, each in enumerate(found):
        values = each.values[:, min(point, len(each.at) - 1), pair]
        values = values[np.isfinite(values).any(axis=1)]
        if not len(values):
            continue
        name = for_figure(f"{each.label} · n = {len(values)}" if len(values) > 1 else each.label)
        add = add_seeds if len(values) == 1 else add_mean_and_band
        add(figure, values, line=style.line(index), name=name, hover="cosine %{y:.2f}", x=places)
    figure.add_hline(y=0, line={"color": style.DOMINATED, "width": 1, "dash": "dash"})
    _finish(figure, "Cosine of the gradients", 320)
    figure.update_xaxes(
        title={"text": "Stage, from the input to the answer"},
        tickvals=places,
        ticktext=[for_figure(stage) for stage in stages],
        range=[-0.4, max(len(stages), 1) - 0.6],
    )
    return finished(figure)


def sizes_figure(found: Sequence[SizesOverTime]) -> go.Figure:
    """Validation accuracy of three subnets by epoch: a color per method, a dash per size, means over seeds."""
    figure = go.Figure()
    for index, each in enumerate(found):
        for size, values in each.values.items():
            known = np.isfinite(values)
            with np.errstate(invalid="ignore", divide="ignore"):
                mean = np.where(known, values, 0.0).sum(axis=0) / known.sum(axis=0)
            name = for_figure(f"{each.label}, {size}")
            figure.add_scatter(
                name=name,
                x=list(range(1, len(mean) + 1)),
                y=_gaps(100 * mean),
                mode="lines" if len(mean) > 1 else "lines+markers",
                line={"color": style.CATEGORICAL[index % 8], "width": 2, "dash": _SIZE_DASHES[size]},
                hovertemplate=f"epoch %{{x}}<br>%{{y:.1f}} %<extra>{name}</extra>",
            )
    _finish(figure, "Validation accuracy", 300)
    figure.update_yaxes(ticksuffix=" %")
    figure.update_xaxes(title={"text": "Epoch"})
    return finished(figure)


def _add_uniform(figure: go.Figure, each: Drawn, row: int) -> None:
    """Where the borders between classes would lie if every architecture were drawn as often."""
    edges = 100 * np.cumsum(each.uniform)[:-1]
    ends = [each.epochs[0], each.epochs[-1]] if each.epochs else []
    for edge in edges.tolist():
        figure.add_scatter(
            name="borders if drawn uniformly",
            legendgroup="uniform",
            showlegend=False,
            x=ends,
            y=[edge] * len(ends),
            mode="lines",
            line={"color": "#FFFFFF", "width": 1.2, "dash": "dot"},
            hoverinfo="skip",
            row=row,
            col=1,
        )


def _hover(name: str, losses: bool) -> str:
    value = "loss %{y:.3g}" if losses else "%{y:.1f} % of the draws"
    return f"epoch %{{x}}<br>{value}<extra>{for_figure(name)} MACs</extra>"


def _gaps(values: NDArray[np.float64]) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values.tolist()]


def _finish(figure: go.Figure, y: str, height: int, *, title: int = 0) -> None:
    above = room_above(figure) + title
    figure.update_xaxes(zeroline=False, automargin=True)
    figure.update_yaxes(title={"text": y}, zeroline=False, automargin=True)
    figure.update_layout(
        height=height + above + _BELOW,
        margin={"l": 8, "r": 12, "t": above, "b": _BELOW},
        legend=_ABOVE if title else _LEGEND,
        hovermode="closest",
        showlegend=True,
    )
