"""A search for layers: what every expression was worth, generation by generation, and the best so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from core.plots import style
from core.text import for_figure

_MOST_LISTED = 8


@dataclass(frozen=True)
class Tried:
    """One expression as a point.

    Attributes:
        generation: from 0.
        formula: as a person reads it.
        accuracy: mean validation accuracy, a fraction; None where it was rejected.
        rejected: why, in a few words.
    """

    generation: int
    formula: str
    accuracy: float | None
    rejected: str = ""


def norm_figure(tried: Sequence[Tried], *, best: str) -> go.Figure:
    """Accuracy by generation.

    Args:
        tried: in order.
        best: formula of the most accurate one, for the title; "" while there is none.

    Returns:
        Traces: "expression" (a point each), "rejected before training" (a cross per generation, with how many, below
        the lowest value), "mean of the generation", "range of the generation" and "best so far" where there are any.
    """
    figure = go.Figure()
    alive = [t for t in tried if t.accuracy is not None]
    generations = sorted({t.generation for t in tried})
    by = {g: [100 * (t.accuracy or 0) for t in alive if t.generation == g] for g in generations}
    known = [g for g in generations if by[g]]
    if known:
        upper, lower = [max(by[g]) for g in known], [min(by[g]) for g in known]
        figure.add_scatter(
            name="range of the generation",
            x=[*known, *known[::-1]],
            y=[*upper, *lower[::-1]],
            fill="toself",
            fillcolor="rgba(0, 114, 178, 0.14)",
            line={"width": 0},
            hoverinfo="skip",
        )
        means = [sum(by[g]) / len(by[g]) for g in known]
        figure.add_scatter(
            name="mean of the generation",
            x=known,
            y=means,
            mode="lines",
            line=style.line(0),
            hovertemplate="generation %{x}<br>mean %{y:.1f} %<extra></extra>",
        )
        figure.add_scatter(
            name="best so far",
            x=generations[generations.index(known[0]) :],
            y=[max(v for g in known if g <= at for v in by[g]) for at in generations if at >= known[0]],
            mode="lines",
            line={**style.line(1), "shape": "hv"},
            hovertemplate="up to generation %{x}<br>best %{y:.1f} %<extra></extra>",
        )
    floor = min((min(values) for values in by.values() if values), default=0.0)
    _points(figure, alive, [t for t in tried if t.accuracy is None], floor=floor)
    figure.update_xaxes(
        title={"text": "Generation"}, dtick=1 if len(generations) < 15 else None, zeroline=False
    )
    figure.update_yaxes(
        title={"text": "Validation accuracy (%)"}, ticksuffix=" %", zeroline=False, automargin=True
    )
    figure.update_layout(
        title={"text": f"Best so far: {for_figure(best, 90)}", "font": {"size": 15}} if best else None,
        height=440,
        margin={"l": 8, "r": 12, "t": 48 if best else 32, "b": 8},
        legend={"orientation": "h", "x": 0, "y": -0.2, "yanchor": "top"},
        hovermode="closest",
    )
    return figure


def _points(figure: go.Figure, alive: Sequence[Tried], gone: Sequence[Tried], *, floor: float) -> None:
    figure.add_scatter(
        name="expression",
        x=[t.generation for t in alive],
        y=[100 * (t.accuracy or 0) for t in alive],
        mode="markers",
        marker={"color": style.FRONT, "size": 7, "opacity": 0.7},
        customdata=[[for_figure(t.formula, 90)] for t in alive],
        hovertemplate="%{customdata[0]}<br>%{y:.1f} %<extra>generation %{x}</extra>",
    )
    by: dict[int, list[Tried]] = {}
    for each in gone:
        by.setdefault(each.generation, []).append(each)
    if by:
        figure.add_scatter(
            name="rejected before training",
            x=list(by),
            y=[floor - 4.0] * len(by),
            mode="markers+text",
            marker={"color": style.DOMINATED, "size": 7, "symbol": "x-thin-open"},
            text=[str(len(of)) for of in by.values()],
            textposition="bottom center",
            textfont={"color": style.DOMINATED, "size": 11},
            customdata=[[_listed(of)] for of in by.values()],
            hovertemplate="%{customdata[0]}<extra>generation %{x}</extra>",
        )


def _listed(rejected: Sequence[Tried]) -> str:
    """The first few of a generation, a line each."""
    lines = [f"{for_figure(t.formula, 60)}: {for_figure(t.rejected)}" for t in rejected[:_MOST_LISTED]]
    more = len(rejected) - len(lines)
    return "<br>".join([*lines, f"and {more} more"] if more else lines)
