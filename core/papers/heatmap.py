"""A similarity heatmap for a paper: cells are vectors, with their values written in where there is room."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from core.papers.base import MARGIN_BELOW, Layout, PaperFigure, draw, label
from core.plots import style
from core.plots.similarity import HeatmapData, shown_bounds

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_TEXT = {"one": 8, "two": 16}
_DARK = 0.5


def heatmap_paper(
    data: HeatmapData, layout: Layout, *, caption: str, title_a: str, title_b: str
) -> PaperFigure:
    """Draw every layer of A (rows, the first at the bottom) against every layer of B.

    Args:
        data: as the page's heatmap.
        layout: width and format.
        caption: what was measured.
        title_a, title_b: names of the two networks.
    """
    rows, columns = data.values.shape
    cell = (layout.width_mm - 34) / max(columns, 1)
    height = float(np.clip(cell * rows, 34, 1.2 * layout.width_mm)) + 24

    def paint(axes: Axes) -> str:
        low, high = shown_bounds(data)
        shades = "cividis_r" if data.distance else "cividis"
        mesh = axes.pcolormesh(
            np.ma.masked_invalid(data.values),
            cmap=shades,
            vmin=low,
            vmax=high,
            edgecolors="white",
            linewidth=0.4,
        )
        # The scale runs through gray, so what is missing is hatched.
        axes.patch.set(facecolor="white", edgecolor=style.DOMINATED, hatch="//////", linewidth=0)
        axes.set_xticks(np.arange(columns) + 0.5, [label(t) for t in data.labels_b], rotation=60, ha="right")
        axes.set_yticks(np.arange(rows) + 0.5, [label(t) for t in data.labels_a])
        axes.tick_params(length=0, labelsize=6)
        axes.set_xlabel(f"Layers of B: {label(title_b)}")
        axes.set_ylabel(f"Layers of A: {label(title_a)}")
        _room_for_labels(axes)
        bar = axes.figure.colorbar(mesh, cax=_beside(axes, layout))
        bar.set_label(label(data.measure))
        bar.outline.set_linewidth(0)
        # Vectors here as well: a bar of 256 shades is a picture otherwise.
        if bar.solids is not None:
            bar.solids.set_rasterized(False)
            bar.solids.set_edgecolor("face")
        if max(rows, columns) <= _MOST_TEXT[layout.columns]:
            _write(axes, data, low, high)
        return "Hatched cells have no value." if not np.isfinite(data.values).all() else ""

    return draw(layout, height, "Similarity", caption, paint)


def _beside(axes: Axes, layout: Layout) -> Axes:
    """A place for the bar of colors, with room for its numbers and its name."""
    box, millimeter = axes.get_position(), 1 / layout.width_mm
    axes.set_position((box.x0, box.y0, box.width - 12 * millimeter, box.height))
    left = box.x1 - 10 * millimeter
    return axes.figure.add_axes((left, box.y0, 2 * millimeter, box.height))


def _room_for_labels(axes: Axes) -> None:
    """Names of layers are longer than numbers: the axes give way to as much as they need."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    width, height = figure.bbox.width, figure.bbox.height
    around, inner = axes.get_tightbbox(renderer), axes.get_window_extent(renderer)
    assert around is not None
    gap = 3 / 72 * figure.dpi
    left, below = (inner.x0 - around.x0 + gap) / width, (inner.y0 - around.y0 + gap) / height
    box, bottom = axes.get_position(), MARGIN_BELOW / 25.4 * figure.dpi / height
    up = max(below - bottom, 0.0)
    axes.set_position((left, box.y0 + up, box.x1 - left, box.height - up))


def _write(axes: Axes, data: HeatmapData, low: float, high: float) -> None:
    for i, j in np.ndindex(data.values.shape):
        value = float(data.values[i, j])
        if math.isfinite(value):
            share = (value - low) / (high - low) if high > low else 0.0
            bright = 1 - share if data.distance else share
            axes.text(
                j + 0.5,
                i + 0.5,
                f"{value:.2f}",
                ha="center",
                va="center",
                fontsize=5.5,
                color="black" if bright > _DARK else "white",
            )
