"""Cells without a value in a heatmap: blank, crossed out. No color of the scale, so none can be taken for a value."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from core.plots import style

NO_VALUE = "no value"


def add_crosses(figure: go.Figure, missing: NDArray[np.bool_], *, size: float = 9, **axes: Any) -> None:
    """A cross on the blank place of every missing cell; nothing where none is missing.

    Args:
        figure: drawn into.
        missing: (rows, columns).
        size: of a cross, in pixels.
        axes: names of the axes, if not the first ones.
    """
    if not missing.any():
        return
    rows, columns = np.nonzero(missing)
    figure.add_scatter(
        x=columns.tolist(),
        y=rows.tolist(),
        mode="markers",
        name=NO_VALUE,
        marker={"symbol": "x-thin", "size": size, "line": {"width": 1.4, "color": style.DOMINATED}},
        hoverinfo="skip",
        showlegend=False,
        **axes,
    )
