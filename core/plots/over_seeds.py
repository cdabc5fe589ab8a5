"""Several seeds in one figure: their mean with a band, or a line each; and the same in words."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from core import words
from core.over_seeds import FEWEST_FOR_DEVIATION, Spread, band
from core.plots import style
from core.records import SHARE, Objective

_BAND_ALPHA = 0.18
_NO_DECIMALS = 1000.0


def add_seeds(
    figure: go.Figure,
    values: NDArray[np.float64],
    *,
    line: style.Line,
    shape: str = "linear",
    name: str,
    hover: str,
    x: Sequence[float] | None = None,
    thin: bool = False,
) -> None:
    """A line per seed, one entry in the legend.

    Args:
        figure: drawn into.
        values: (seeds, places), NaN leaves gaps.
        line: of every seed.
        shape: "hv" where a value holds until the next place.
        name: in the legend, escaped.
        hover: template of a point.
        x: of the places; 1, 2, ... if left out.
        thin: as companions of their mean: no entry in the legend, no hover.
    """
    places = list(range(1, values.shape[1] + 1)) if x is None else list(x)
    for index, row in enumerate(values):
        figure.add_scatter(
            name=name,
            legendgroup=name,
            showlegend=not thin and index == 0,
            x=places,
            y=row.tolist(),
            mode="lines",
            line={**line, "shape": shape, **({"width": 0.8} if thin else {})},
            hoverinfo="skip" if thin else None,
            hovertemplate=None if thin else f"{hover}<extra>{name}</extra>",
        )


def add_mean_and_band(
    figure: go.Figure,
    values: NDArray[np.float64],
    *,
    line: style.Line,
    shape: str = "linear",
    name: str,
    hover: str,
    x: Sequence[float] | None = None,
) -> None:
    """The mean of several seeds over its band (see `core.over_seeds`); two to four seeds stand in it as thin lines.

    Arguments as of `add_seeds`.
    """
    found = band(values)
    places = list(range(1, values.shape[1] + 1)) if x is None else list(x)
    known = np.isfinite(found.low)
    edges = {"width": 0, "shape": shape}
    edge = {
        "mode": "lines",
        "hoverinfo": "skip",
        "showlegend": False,
        "legendgroup": name,
        "name": f"{name}, band",
    }
    xs = [p for p, k in zip(places, known, strict=True) if k]
    figure.add_scatter(x=xs, y=found.high[known].tolist(), line=edges, **edge)
    filled = pale(line["color"])
    figure.add_scatter(
        x=xs,
        y=found.low[known].tolist(),
        line=edges,
        fill="tonexty",
        fillcolor=filled,
        **edge,
    )
    if len(values) < FEWEST_FOR_DEVIATION:
        add_seeds(figure, values, line=line, shape=shape, name=name, hover=hover, x=places, thin=True)
    figure.add_scatter(
        name=name,
        legendgroup=name,
        x=places,
        y=found.mean.tolist(),
        mode="lines",
        line={**line, "shape": shape},
        customdata=[[_range(low, high)] for low, high in zip(found.low, found.high, strict=True)],
        hovertemplate=f"{hover}<br>{found.band}: %{{customdata[0]}}<extra>{name}</extra>",
    )


def in_words(found: Spread, *, factor: float = 1.0, unit: str = "", digits: int = 1) -> str:
    """A mean with its band and n: `93.1 % (92.0 to 94.2, n = 3)`; one seed reads `93.1 % (n = 1)`.

    Counts that are the same for all seeds, and numbers in the thousands, have no decimals: `400 (400 to 400, n = 6)`.
    """
    if not found.n:
        return "not measured"
    said = [factor * value for value in (found.mean, found.low, found.high) if math.isfinite(value)]
    if not unit and (all(value == round(value) for value in said) or min(map(abs, said)) >= _NO_DECIMALS):
        digits = 0
    mean = f"{_signed(found.mean * factor, digits)}{unit}"
    if found.n == 1:
        return f"{mean} (n = 1)"
    return f"{mean} ({_range(found.low * factor, found.high * factor, digits)}, n = {found.n})"


def objective_in_words(found: Spread, objective: Objective) -> str:
    """As `in_words`, in the objective's own format: `93.1 % (92.0 to 94.2, n = 3)`, `1.24 M (1.2 M to 1.3 M, n = 3)`."""
    if objective.shown == SHARE:
        return in_words(found, factor=100.0, unit=" %")
    if not found.n:
        return "not measured"
    mean, low, high = (words.format_value(v, objective) for v in (found.mean, found.low, found.high))
    return f"{mean} (n = 1)" if found.n == 1 else f"{mean} ({low} to {high}, n = {found.n})"


def _range(low: float, high: float, digits: int | None = None) -> str:
    if not (math.isfinite(low) and math.isfinite(high)):
        return "one seed"
    if digits is None:
        return f"{low:.4g} to {high:.4g}".replace("-", words.MINUS)
    return f"{_signed(low, digits)} to {_signed(high, digits)}"


def _signed(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".replace("-", words.MINUS)


def pale(color: str) -> str:
    """A hexadecimal color as the filling of a band."""
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{_BAND_ALPHA})"
