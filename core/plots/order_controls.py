"""Three subnets of one network by the way they were got: how much order, tuning as a supernet and training alone give."""

from __future__ import annotations

import math

import plotly.graph_objects as go

from core.library.order_controls import ALONE, CUT, CUT_RANDOM, SIZES, TUNED, TUNED_RANDOM
from core.plots import style
from core.plots.finished import finished
from core.views.order_controls import OrderControls
from core.words import format_share

_LOOKS = {
    TUNED: (style.CATEGORICAL[0], "circle"),
    TUNED_RANDOM: (style.CATEGORICAL[0], "circle-open"),
    ALONE: (style.CATEGORICAL[2], "diamond"),
    CUT: (style.CATEGORICAL[1], "square"),
    CUT_RANDOM: (style.CATEGORICAL[1], "square-open"),
}
"""A color says how it was trained, an open symbol that units stood at random."""
_STEP = 0.13


def order_controls_figure(found: OrderControls) -> go.Figure:
    """Test accuracy of each subnet in each way: mean over seeds with a bar from the band's low to its high.

    Returns:
        Per way a point for every subnet, ways side by side; a dotted line at what the given network has.
    """
    figure = go.Figure()
    shown = [way for way in _LOOKS if any(each.way == way for each in found.ways)]
    for index, way in enumerate(shown):
        own = [each for each in found.ways if each.way == way]
        color, symbol = _LOOKS[way]
        offset = (index - (len(shown) - 1) / 2) * _STEP
        above = [_beyond(each.test_accuracy.high - each.test_accuracy.mean) for each in own]
        below = [_beyond(each.test_accuracy.mean - each.test_accuracy.low) for each in own]
        figure.add_scatter(
            name=way,
            x=[each.size + offset for each in own],
            y=[100 * each.test_accuracy.mean for each in own],
            mode="markers",
            marker={"color": color, "symbol": symbol, "size": 10, "line": {"width": 2, "color": color}},
            error_y={"type": "data", "symmetric": False, "array": above, "arrayminus": below, "width": 4},
            hovertext=[f"{SIZES[each.size]}, n = {each.test_accuracy.n}" for each in own],
            hovertemplate="%{hovertext}<br>%{y:.1f} %<extra>" + way + "</extra>",
        )
    figure.add_hline(
        y=100 * found.given,
        line={"dash": "dot", "width": 1.4, "color": style.DOMINATED},
        annotation_text=f"given network {format_share(found.given, 1)}",
        annotation_position="bottom left",
    )
    labels = [f"{size}<br>{macs / 1e6:.2f} M MACs" for size, macs in zip(SIZES, found.macs, strict=True)]
    figure.update_xaxes(tickvals=list(range(len(SIZES))), ticktext=labels, range=[-0.5, len(SIZES) - 0.5])
    figure.update_yaxes(title={"text": "Test accuracy"}, ticksuffix=" %")
    figure.update_layout(height=400, legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"})
    return finished(figure)


def _beyond(length: float) -> float:
    """Length of a bar in percent; none where one seed has no band."""
    return 100 * length if math.isfinite(length) else 0.0
