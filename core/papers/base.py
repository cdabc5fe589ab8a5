"""A figure for a paper: at a column's width, all vectors, its fonts inside, and a caption that says what was measured.

The screen's figures are drawn for a browser; exported from there, dots become pictures and fonts stay behind. These are
drawn anew from the same data. Text is outlines in SVG and embedded TrueType in PDF, so that both look the same anywhere.
Equal data give equal bytes.
"""

from __future__ import annotations

import io
import math
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.text import display_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

COLUMNS = {"one": 85.0, "two": 178.0}
"""Width of the figure by the columns it spans, in millimeters."""
FORMATS = {"svg": "image/svg+xml", "pdf": "application/pdf"}

_DOT = re.compile(rb"M (\S+ \S+) \nL \1 \n")
"""A line of no length as matplotlib writes it."""

_ONE_AT_A_TIME = threading.Lock()
_MM = 1 / 25.4
_POINTS = 72.0
MARGIN_BELOW = 10.0
"""Millimeters between the axes and the caption, for numbers and a label."""
_LINE_MM = 2.9
_CAPTION_SIZE = 6.5
_RC: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same on every machine
    "font.size": 7.5,
    "axes.labelsize": 7.5,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "lines.linewidth": 1.1,
    "text.parse_math": False,  # a name with dollar signs is a name
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "paretoscope",
    "path.simplify": False,
}


@dataclass(frozen=True)
class Layout:
    """How a figure stands on the page.

    Attributes:
        columns: "one" (85 mm) or "two" (178 mm).
        format: "svg" or "pdf".
        with_caption: write the caption below the drawing; it is in the file's description in any case.
    """

    columns: str = "one"
    format: str = "svg"
    with_caption: bool = True

    @property
    def width_mm(self) -> float:
        return COLUMNS[self.columns]


@dataclass(frozen=True)
class PaperFigure:
    """A finished figure.

    Attributes:
        data: the file.
        caption: what was measured, as plain text.
        media_type: of the file.
    """

    data: bytes
    caption: str
    media_type: str


def draw(
    layout: Layout,
    height_mm: float,
    title: str,
    caption: str,
    paint: Callable[[Axes], str | None],
    *,
    above_mm: float = 8.0,
) -> PaperFigure:
    """Set up one pair of axes, let `paint` fill it, and write the file.

    Args:
        layout: width, format.
        height_mm: of axes, labels and legend, without the caption.
        title: of the file, for programs that show it.
        caption: what was measured; plain text of any length.
        paint: fills the axes; may return a sentence about the drawing that is added to the caption.
        above_mm: room above the axes, for a legend; part of the height.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Matplotlib's settings belong to the process, and two visitors may ask at once.
    with _ONE_AT_A_TIME, mpl.rc_context(_RC):
        figure = Figure()
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        said = _place(figure, axes, layout, (height_mm, above_mm), caption, paint)
        return PaperFigure(_written(figure, layout.format, title, said), said, FORMATS[layout.format])


def _place(
    figure: Figure,
    axes: Axes,
    layout: Layout,
    heights: tuple[float, float],
    caption: str,
    paint: Callable[[Axes], str | None],
) -> str:
    """Axes above, caption below; the figure grows with the caption's lines."""
    height_mm, top = heights
    # What `paint` says about the drawing depends on the drawing; there is room for two lines more.
    lines = _wrapped(figure, caption, layout) if layout.with_caption else []
    below = (len(lines) + 2) * _LINE_MM + 2.5 if lines else 0.0
    # A whole number of points, so that places on a grid of quarters are short numbers in the file.
    total = math.ceil((height_mm + below) / 25.4 * _POINTS) * 25.4 / _POINTS
    figure.set_size_inches(layout.width_mm * _MM, total * _MM)
    left, right, bottom = 13.0, 3.0, MARGIN_BELOW
    axes.set_position(
        (
            left / layout.width_mm,
            (below + bottom) / total,
            (layout.width_mm - left - right) / layout.width_mm,
            (height_mm - bottom - top) / total,
        )
    )
    remark = paint(axes)
    said = f"{caption} {remark}".strip() if remark else caption
    if lines:
        for number, line in enumerate(_wrapped(figure, said, layout)):
            at = below - 2.5 - number * _LINE_MM
            figure.text(1.0 / layout.width_mm, at / total, line, fontsize=_CAPTION_SIZE, va="top")
    return said


def _wrapped(figure: Any, text: str, layout: Layout) -> list[str]:
    """Lines as wide as the figure allows, by the widths of the font's own letters."""
    from matplotlib.font_manager import FontProperties

    renderer, font = figure.canvas.get_renderer(), FontProperties(size=_CAPTION_SIZE)
    room = (layout.width_mm - 2.5) * _MM * figure.dpi
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and renderer.get_text_width_height_descent(longer, font, False)[0] <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _written(figure: Figure, kind: str, title: str, caption: str) -> bytes:
    buffer = io.BytesIO()
    about: dict[str, Any] = (
        {"Title": title, "Description": caption, "Date": None, "Creator": "Paretoscope"}
        if kind == "svg"
        else {"Title": title, "Subject": caption, "CreationDate": None, "Creator": "Paretoscope"}
    )
    figure.savefig(buffer, format=kind, metadata=about)
    data = buffer.getvalue()
    return _DOT.sub(rb"M\1h0", data) if kind == "svg" else data


def dots(axes: Axes, x: ArrayLike, y: ArrayLike, *, color: str, size: float, alpha: float) -> tuple[int, int]:
    """Many dots as one path: how many there are, and how many were drawn.

    Dots that would lie on the same quarter of a point (0.09 mm) are drawn once; nothing becomes a picture.
    The limits of the axes must be set.
    """
    import numpy as np
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path
    from matplotlib.transforms import IdentityTransform, ScaledTranslation

    figure = axes.figure
    per_point = figure.dpi / _POINTS
    places = axes.transData.transform(np.column_stack([np.asarray(x, float), np.asarray(y, float)]))
    snapped = np.unique(np.round(places[np.isfinite(places).all(axis=1)] / per_point * 4), axis=0) / 4
    if not len(snapped):
        return 0, 0
    # A line of no length with round ends is a dot, in a tenth of the bytes of a circle.
    vertices = np.repeat(snapped, 2, axis=0)
    codes = np.tile([Path.MOVETO, Path.LINETO], len(snapped))
    to_display = ScaledTranslation(0, 0, IdentityTransform()) + _scaled(figure)
    axes.add_patch(
        PathPatch(
            Path(vertices, codes),
            transform=to_display,
            fill=False,
            edgecolor=color,
            linewidth=size,
            capstyle="round",
            alpha=alpha,
            clip_on=False,
        )
    )
    return len(places), len(snapped)


def _scaled(figure: Any) -> Any:
    """Points to the figure's own pixels, whatever its resolution."""
    from matplotlib.transforms import Affine2D

    return Affine2D().scale(1 / _POINTS) + figure.dpi_scale_trans


def label(text: str) -> str:
    """A name that somebody chose, as a label: one line, no control characters."""
    return display_name(text)
