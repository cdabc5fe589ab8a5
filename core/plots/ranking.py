"""The ranking check: what subnets do in their supernet against what they learn alone, as accuracies or as ranks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from core.chance.intervals import wilson
from core.library.ranking import mean_ranks
from core.plots import style
from core.plots.experiments import empty_figure
from core.text import for_figure
from core.views.ranking import Point

_HEIGHT = 440
_GROUPS = (
    (True, "near the front", "diamond", style.FRONT),
    (False, "farther from it", "circle-open", style.DOMINATED),
)


def ranking_figure(
    points: Sequence[Point], samples: int, *, ranks: bool = False, truth: str = "alone"
) -> go.Figure:
    """Every subnet of a check.

    Args:
        points: of the check.
        samples: of the validation split, for the intervals of what the supernet does; 0 for none.
        ranks: draw ranks instead of accuracies; 1 is the best.
        truth: what the upward axis is: "alone", or a table.

    Returns:
        A dotted line on which both are equal, and a trace for the subnets near the front and one for the others, customdata
        [[arch_id], ...]. Accuracies have 95 % intervals (Wilson) across and the band over seeds upwards.
    """
    if not points:
        return empty_figure("No network has been trained alone yet.", 240)
    inside, alone = [p.inside for p in points], [p.alone.mean for p in points]
    x, y = (
        (list(mean_ranks(tuple(inside))), list(mean_ranks(tuple(alone))))
        if ranks
        else ([100 * v for v in inside], [100 * v for v in alone])
    )
    figure = go.Figure()
    ends = [min(*x, *y), max(*x, *y)]
    figure.add_scatter(
        name="equal",
        x=ends,
        y=ends,
        mode="lines",
        hoverinfo="skip",
        line={"color": style.DOMINATED, "dash": "dot", "width": 1.4},
    )
    for near, name, symbol, color in _GROUPS:
        at = [index for index, point in enumerate(points) if point.near == near]
        if at:
            _add(figure, [points[i] for i in at], [x[i] for i in at], [y[i] for i in at])
            figure.data[-1].update(name=name, marker={"symbol": symbol, "size": 10, "color": color})
            if not ranks:
                figure.data[-1].update(
                    error_x=_across([points[i] for i in at], samples),
                    error_y=_upward([points[i] for i in at]),
                )
    _lay_out(figure, ranks, truth)
    return figure


def _add(figure: go.Figure, points: Sequence[Point], x: Sequence[float], y: Sequence[float]) -> None:
    told = [
        f"<b>{for_figure(p.arch_id)}</b><br>in the supernet {100 * p.inside:.1f} %<br>alone {100 * p.alone.mean:.1f} %"
        + (
            f" ({100 * p.alone.low:.1f} to {100 * p.alone.high:.1f}, n = {p.alone.n})"
            if p.alone.n > 1
            else " (n = 1)"
        )
        + f"<br>{100 * p.gap:.1f} points below the front"
        for p in points
    ]
    figure.add_scatter(
        x=list(x),
        y=list(y),
        mode="markers",
        text=told,
        customdata=[[p.arch_id] for p in points],
        hovertemplate="%{text}<extra></extra>",
    )


def _across(points: Sequence[Point], samples: int) -> dict[str, object] | None:
    if not samples:
        return None
    inside = np.array([p.inside for p in points])
    low, high = wilson(np.rint(inside * samples), samples)
    return _bars(100 * np.maximum(high - inside, 0), 100 * np.maximum(inside - low, 0))


def _upward(points: Sequence[Point]) -> dict[str, object]:
    means = np.array([p.alone.mean for p in points])
    ends = np.array([(p.alone.low, p.alone.high) for p in points])
    return _bars(100 * np.nan_to_num(ends[:, 1] - means), 100 * np.nan_to_num(means - ends[:, 0]))


def _bars(more: np.ndarray, less: np.ndarray) -> dict[str, object]:
    return {
        "type": "data",
        "symmetric": False,
        "array": more.tolist(),
        "arrayminus": less.tolist(),
        "thickness": 0.9,
        "width": 0,
        "color": "rgba(138,144,155,0.55)",
    }


def _lay_out(figure: go.Figure, ranks: bool, truth: str) -> None:
    right = "Alone, test accuracy" if truth == "alone" else "Published accuracy"
    words = (
        ("Rank in the supernet", f"Rank {'alone' if truth == 'alone' else 'in the table'}")
        if ranks
        else ("In the supernet, validation accuracy", right)
    )
    for update, title in ((figure.update_xaxes, words[0]), (figure.update_yaxes, words[1])):
        update(title={"text": title}, zeroline=False, automargin=True)
        if ranks:  # the best is at the right and on top
            update(autorange="reversed", tickformat="d")
        else:
            update(ticksuffix=" %", tickformat="~g")
    figure.update_layout(
        height=_HEIGHT,
        margin={"l": 8, "r": 12, "t": 32, "b": 8},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        hovermode="closest",
        showlegend=True,
    )
