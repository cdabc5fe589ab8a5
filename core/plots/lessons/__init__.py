"""The one figure of a lesson: each kind of `core.lessons.charts` is drawn by one function here."""

from __future__ import annotations

import plotly.graph_objects as go

from core.lessons.charts import Bars, Blocks, Chart, Curves, Heat, Scatter, Slopes
from core.plots.finished import finished
from core.plots.lessons.bars import draw_bars
from core.plots.lessons.blocks import draw_blocks
from core.plots.lessons.heat import draw_heat
from core.plots.lessons.planes import draw_curves, draw_scatter
from core.plots.lessons.slopes import draw_slopes

QUADRANT = "quadrant"
"""What the layout of a figure says (`meta`) where the page shades what the point under the pointer dominates."""


def draw(chart: Chart) -> go.Figure:
    """A lesson's figure.

    Every role, series and line that is drawn is named in the legend; shapes and dashes repeat what colors say. Points that a
    click marks carry their key as customdata. The figure is finished: it is not changed any more.

    Args:
        chart: one of the kinds of `core.lessons.charts`.

    Raises:
        TypeError: a kind that nobody draws.
    """
    match chart:
        case Scatter():
            figure = draw_scatter(chart)
        case Curves():
            figure = draw_curves(chart)
        case Bars():
            figure = draw_bars(chart)
        case Slopes():
            figure = draw_slopes(chart)
        case Heat():
            figure = draw_heat(chart)
        case Blocks():
            figure = draw_blocks(chart)
        case _:
            raise TypeError(f"Nobody draws {type(chart).__name__}.")
    figure.update_layout(
        hovermode="closest",
        dragmode=False,
        meta=QUADRANT if isinstance(chart, Scatter) and chart.quadrant else None,
    )
    return finished(figure)
