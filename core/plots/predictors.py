"""Guessed against measured, and how well guesses and scores order architectures."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from core import words
from core.plots import style
from core.plots.experiments import empty_figure
from core.records import Objective
from core.text import for_figure
from core.views.predictors import Guessed, PredictorRow
from core.views.proxies import ProxyRow

_KINDS = {
    "proxy": ("circle", style.CATEGORICAL[0]),
    "baseline": ("diamond", style.CATEGORICAL[1]),
    "learned": ("square", style.CATEGORICAL[2]),
}


def tau_figure(rows: Sequence[PredictorRow]) -> go.Figure:
    """Kendall's tau of every predictor.

    Args:
        rows: the best first.

    Returns:
        A trace of the single folds and one of their means; a predictor is a line of the chart, the best on top.
    """
    good = [row for row in rows if row.taus]
    if not good:
        return empty_figure("No predictor has been judged yet.", 200)
    names = [for_figure(row.label) for row in good]
    figure = go.Figure()
    figure.add_scatter(
        name="one fold",
        mode="markers",
        x=[tau for row in good for tau in row.taus],
        y=[name for name, row in zip(names, good, strict=True) for _ in row.taus],
        marker={"symbol": "line-ns-open", "size": 12, "color": style.DOMINATED, "line": {"width": 1.6}},
        hovertemplate="τ %{x:.3f}<extra>one fold</extra>",
    )
    figure.add_scatter(
        name="mean over folds",
        mode="markers",
        x=[row.over_folds.mean for row in good],
        y=names,
        marker={"symbol": "circle", "size": 10, "color": style.FRONT},
        hovertemplate="<b>%{y}</b><br>mean τ %{x:.3f}<extra></extra>",
    )
    _by_line(figure, len(good), "Kendall's τ")
    return figure


def correlation_figure(rows: Sequence[ProxyRow]) -> go.Figure:
    """Rank correlation of every score with what was measured.

    Args:
        rows: the strongest first; those without a correlation are left out.

    Returns:
        A trace per kind: proxies, baselines, and what was learned, each with its 95 % intervals.
    """
    good = [row for row in rows if row.tau is not None]
    if not good:
        return empty_figure("Nothing has been scored yet.", 200)
    figure = go.Figure()
    for kind, (symbol, color) in _KINDS.items():
        mine = [row for row in good if row.kind == kind]
        if not mine:
            continue
        taus = [row.tau or 0.0 for row in mine]
        figure.add_scatter(
            name={"proxy": "zero-cost proxy", "learned": "learned from layers"}.get(kind, kind),
            mode="markers",
            x=taus,
            y=[for_figure(row.label) for row in mine],
            marker={"symbol": symbol, "size": 10, "color": color},
            error_x={
                "type": "data",
                "symmetric": False,
                "thickness": 1.5,
                "width": 4,
                "color": color,
                "array": [_gap(row.high, tau) for row, tau in zip(mine, taus, strict=True)],
                "arrayminus": [_gap(tau, row.low) for row, tau in zip(mine, taus, strict=True)],
            },
            customdata=[[f"{row.low:+.2f} to {row.high:+.2f}"] for row in mine],
            hovertemplate="<b>%{y}</b><br>τ %{x:+.3f} (%{customdata[0]})<extra></extra>",
        )
    figure.add_vline(0, line={"color": style.DOMINATED, "width": 1.2, "dash": "dot"})
    _by_line(figure, len(good), "Kendall's τ, 95 % interval")
    figure.update_yaxes(categoryarray=[for_figure(row.label) for row in good])
    return figure


def guessed_figure(found: Guessed, objective: Objective) -> go.Figure:
    """Measured against guessed: on the dotted line both are equal.

    Args:
        found: guesses of rows that were not seen.
        objective: what they are of.

    Returns:
        Traces "equal" and "guessed" (hollow, as everything that is only predicted), customdata [[arch_id], ...].
    """
    scale = style.scale(objective)
    x, y = found.values * scale.factor, found.guesses * scale.factor
    low, high = (float(f(np.concatenate([x, y]))) for f in (np.min, np.max))
    figure = go.Figure()
    figure.add_scatter(
        name="equal",
        x=[low, high],
        y=[low, high],
        mode="lines",
        hoverinfo="skip",
        line={"color": style.DOMINATED, "dash": "dot", "width": 1.4},
    )
    bars = None
    if found.deviations is not None:
        bars = {
            "type": "data",
            "array": (1.96 * found.deviations * scale.factor).tolist(),
            "thickness": 0.8,
            "width": 0,
            "color": "rgba(138,144,155,0.35)",
        }
    figure.add_scatter(
        name="guessed, 95 % interval" if bars else "guessed",
        x=x.tolist(),
        y=y.tolist(),
        mode="markers",
        marker={"symbol": "circle-open", "size": 7, "color": style.FRONT, "line": {"width": 1.4}},
        error_y=bars,
        customdata=[[arch_id] for arch_id in found.arch_ids],
        hovertemplate=f"measured %{{x:{scale.hover}}}{scale.suffix}<br>guessed %{{y:{scale.hover}}}{scale.suffix}<extra>%{{customdata[0]}}</extra>",
    )
    label = for_figure(words.within_sentence(objective.label))
    for update, what in ((figure.update_xaxes, "Measured"), (figure.update_yaxes, "Guessed")):
        update(
            title={"text": f"{what} {label}"},
            tickformat=scale.tick,
            ticksuffix=scale.suffix,
            zeroline=False,
            automargin=True,
        )
    _lay_out(figure, 380)
    return figure


def _gap(more: float, less: float) -> float:
    return max(more - less, 0.0) if math.isfinite(more - less) else 0.0


def _by_line(figure: go.Figure, lines: int, title: str) -> None:
    figure.update_xaxes(title={"text": title}, zeroline=False, automargin=True)
    figure.update_yaxes(autorange="reversed", automargin=True, ticklabelstandoff=8)
    _lay_out(figure, 130 + 30 * lines)


def _lay_out(figure: go.Figure, height: int) -> None:
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 12, "t": 32, "b": 8},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        hovermode="closest",
        showlegend=True,
    )
