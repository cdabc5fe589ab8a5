"""Curves over time: hypervolume by evaluations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from core.plots import style
from core.plots.axes import room_above
from core.plots.over_seeds import add_mean_and_band, add_seeds
from core.text import for_figure

_MOST_PLACES = 500


def hypervolume_figure(
    curves: Mapping[str, ArrayLike],
    *,
    ceiling: float | None = None,
    apart: bool = False,
    seconds: Sequence[float] | None = None,
) -> go.Figure:
    """Hypervolume after each evaluation, or after so many seconds.

    Args:
        curves: name -> hypervolume after 1, 2, ... evaluations, one seed, or (seeds, evaluations) with NaN where a
            seed has not come so far. Long curves are drawn at some of their places.
        ceiling: hypervolume of the exact front, against the same reference point. Where it is given,
            everything is drawn in percent of it, and 100 % is a line no search can pass.
        apart: a line per seed instead of their mean and band.
        seconds: of the curves' columns, where they are by seconds and not by evaluations.

    Returns:
        Per name a band (two seeds and more), thin lines of the single seeds (two to four) and the mean; or a line
        per seed. Then "exact front" where a ceiling is given.
    """
    figure = go.Figure()
    longest, factor = 0.0 if seconds is not None else 1.0, 100 / ceiling if ceiling else 1.0
    unit = " %" if ceiling else ""
    what = "evaluations" if seconds is None else "s"
    for index, (name, given) in enumerate(curves.items()):
        values = factor * np.atleast_2d(np.asarray(given, dtype=np.float64))
        places, values = _thinned(values, seconds)
        longest = max(longest, places[-1] if places else 0.0)
        line = style.line(index)
        title = for_figure(f"{name} · n = {len(values)}" if len(values) > 1 else name)
        hover = f"%{{x{'' if seconds is None else ':.3g'}}} {what}<br>%{{y:.4g}}{unit}"
        add = add_seeds if apart or len(values) == 1 else add_mean_and_band
        add(figure, values, line=line, shape="hv", name=title, hover=hover, x=places)
    if ceiling:
        figure.add_scatter(
            name="exact front",
            x=[1 if seconds is None else 0, longest],
            y=[100, 100],
            mode="lines",
            line={"color": style.DOMINATED, "width": 1.6, "dash": "dash"},
            hovertemplate="exact front<extra></extra>",
        )
    across = "Evaluations" if seconds is None else "Measured seconds"
    _lay_out(figure, across, "Hypervolume (% of the exact front)" if ceiling else "Hypervolume")
    figure.update_yaxes(ticksuffix=unit)
    if ceiling and (least := _where_it_is_decided(curves.values(), factor)) is not None:
        figure.update_yaxes(range=[least, 101.5])
    return figure


def _where_it_is_decided(curves: Iterable[ArrayLike], factor: float) -> float | None:
    """The lower end of the axis: what the slowest search had after a tenth of its way, where the curves part.

    The first few evaluations, which rise from nothing, would press all the rest against the ceiling.
    """
    early = []
    for given in curves:
        values = np.asarray(given, dtype=np.float64)
        values = values[values > 0]
        if len(values):
            early.append(factor * float(np.quantile(values, 0.1)))
    least = 5.0 * np.floor(min(early, default=0.0) / 5.0)
    return float(least) if 0 < least < 100 else None


def _thinned(
    values: NDArray[np.float64], seconds: Sequence[float] | None
) -> tuple[list[float], NDArray[np.float64]]:
    """Places and values of (seeds, places), at most as many as a screen has room for; the first and last are kept."""
    places = np.arange(1, values.shape[1] + 1) if seconds is None else np.asarray(seconds, dtype=np.float64)
    if len(places) > _MOST_PLACES:
        kept = np.linspace(0, len(places) - 1, _MOST_PLACES).round().astype(int)
        places, values = places[kept], values[:, kept]
    return places.tolist(), values


def _lay_out(figure: go.Figure, x: str, y: str) -> None:
    above = room_above(figure)
    figure.update_xaxes(title={"text": x}, zeroline=False, automargin=True)
    figure.update_yaxes(title={"text": y}, zeroline=False, automargin=True)
    figure.update_layout(
        height=300 + above,
        margin={"l": 8, "r": 12, "t": above, "b": 8},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        hovermode="closest",
        showlegend=True,
    )
