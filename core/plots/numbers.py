"""Numbers on colored cells, black or white, whichever reads better: never less than 4.5 to 1.

The chart library's own choice is white or a dark grey, which falls to 3 to 1 on the middle of a scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.colors import sample_colorscale, unlabel_rgb

BLACK, WHITE = "#000000", "#FFFFFF"


def luminance(color: tuple[float, float, float]) -> float:
    """Relative luminance of (red, green, blue), each 0-255. Source: WCAG 2.2, definition of relative luminance."""
    parts = [v / 255 for v in color]
    red, green, blue = (v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: tuple[float, float, float], other: tuple[float, float, float]) -> float:
    """Contrast of two colors, 1 to 21. Source: WCAG 2.2, definition of contrast ratio."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def ink(color: str) -> str:
    """Black or white, whichever reads better on a color; `color` is "rgb(r, g, b)" or "#rrggbb"."""
    rgb = _rgb(color)
    return BLACK if contrast(rgb, (0, 0, 0)) >= contrast(rgb, (255, 255, 255)) else WHITE


def _rgb(color: str) -> tuple[float, float, float]:
    if color.startswith("#"):
        return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
    red, green, blue = unlabel_rgb(color)
    return red, green, blue


@dataclass(frozen=True)
class CellColors:
    """How a heatmap colors a value: the ends of its scale, the scale's name, and whether it is reversed."""

    low: float
    high: float
    colorscale: str
    reverse: bool = False

    def ink(self, value: float) -> str:
        """Black or white, whichever reads better on the value's cell."""
        share = float(np.clip((value - self.low) / ((self.high - self.low) or 1.0), 0, 1))
        [color] = sample_colorscale(self.colorscale, [1 - share if self.reverse else share])
        return ink(color)


def add_numbers(
    figure: go.Figure,
    values: NDArray[np.float64],
    texts: Sequence[Sequence[str]],
    colors: CellColors,
    *,
    names: Sequence[str] = (),
    size: int = 10,
    xaxis: str = "x",
) -> None:
    """Write a text onto every cell of a heatmap that has a value.

    Args:
        figure: gets one trace per ink, named "numbers".
        values: (rows, columns) of the heatmap; NaN where there is no value.
        texts: the same shape.
        colors: of the heatmap.
        names: of rows and columns, where they are no numbers.
        size: of the texts, in pixels.
        xaxis: of the heatmap.
    """
    places = [(i, j) for i, j in np.argwhere(np.isfinite(values)).tolist() if texts[i][j]]
    for each in (BLACK, WHITE):
        mine = [(i, j) for i, j in places if colors.ink(values[i, j]) == each]
        if mine:
            figure.add_scatter(
                x=[names[j] if names else j for _, j in mine],
                y=[names[i] if names else i for i, _ in mine],
                text=[texts[i][j] for i, j in mine],
                mode="text",
                name="numbers",
                textfont={"size": size, "color": each},
                # A click on another trace must not fade them.
                unselected={"textfont": {"color": each}},
                hoverinfo="skip",
                showlegend=False,
                xaxis=xaxis,
            )
