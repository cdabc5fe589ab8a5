"""Curves for a paper: hypervolume of searches, what pruning costs; with a band where several seeds are one curve."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.papers.base import Layout, PaperFigure, draw, label
from core.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HEIGHT = {"one": 58.0, "two": 80.0}
_HANDLE_MM, _LETTER_MM, _ROW_MM = 12.0, 1.35, 3.6
_DASHES = ("-", "--", ":", "-.")
_MARKS = "osD^vPX*"


@dataclass(frozen=True)
class Curve:
    """One line.

    Attributes:
        name: in the legend.
        x, y: its points, in order.
        low, high: bounds of a band around it; empty for none.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = field(default=())
    high: Sequence[float] = field(default=())


def curves_paper(
    curves: Sequence[Curve],
    layout: Layout,
    *,
    caption: str,
    title: str,
    across: str,
    up: str,
    steps: bool = False,
    ceiling: float | None = None,
    ceiling_name: str = "exact front",
) -> PaperFigure:
    """Draw the lines.

    Args:
        curves: in the order of the legend; color, dash and mark change together, so that no two look alike.
        layout: width and format.
        caption: what was measured.
        title: of the file.
        across, up: labels of the axes, nouns with units.
        steps: the value holds until the next point.
        ceiling: a horizontal line.
        ceiling_name: what that line is.
    """

    def paint(axes: Axes) -> None:
        axes.set_xlabel(across)
        axes.set_ylabel(up)
        longest = max((len(c.x) for c in curves), default=0)
        for number, curve in enumerate(curves):
            color = style.CATEGORICAL[number % len(style.CATEGORICAL)]
            (line,) = axes.plot(
                curve.x,
                curve.y,
                _DASHES[(number + number // len(style.CATEGORICAL)) % len(_DASHES)],
                color=color,
                marker=_MARKS[number % len(_MARKS)],
                markersize=2.8,
                markevery=max(1, longest // 8),
                drawstyle="steps-post" if steps else "default",
                label=label(curve.name),
            )
            if len(curve.low):
                axes.fill_between(
                    curve.x,
                    curve.low,
                    curve.high,
                    color=line.get_color(),
                    alpha=0.18,
                    linewidth=0,
                    step="post" if steps else None,
                )
        if ceiling is not None:
            axes.axhline(
                ceiling, color=style.DOMINATED, linestyle=(0, (4, 2)), linewidth=0.9, label=ceiling_name
            )
        if curves:
            axes.legend(
                loc="lower left",
                bbox_to_anchor=(0, 1.0),
                ncols=across_legend,
                handlelength=2.6,
                borderaxespad=0.2,
            )

    # Above the axes, where it covers no line.
    names = [*(label(curve.name) for curve in curves), *([ceiling_name] if ceiling is not None else [])]
    widest = _HANDLE_MM + _LETTER_MM * max(map(len, names), default=0)
    across_legend = max(1, int((layout.width_mm - 16) / widest))
    above = 2.0 + _ROW_MM * math.ceil(len(names) / across_legend)
    return draw(layout, _HEIGHT[layout.columns] + above, title, caption, paint, above_mm=above)
