"""The front of two objectives with a third as color or as size, and a slider that limits it.

The slider is Plotly's own: it moves the front in the browser while it is dragged, and no server is asked. Every
point of the front carries the limit's number behind its id, so that a click tells both.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.colors import sample_colorscale

from core.library.evaluations import standing
from core.plots import style
from core.plots.axes import LAYOUT, drawable, drawn, hover, lay_out_axes, thin
from core.records import Objective
from core.text import for_figure
from core.views.third_objective import LimitedFronts
from core.words import axis_title, format_value

MOST_POINTS = 3_000
"""Points drawn besides the front: a box around all of them is sent to the server point by point."""
SEPARATOR = "|"
"""Between a member's id and the number of the limit it was clicked under."""

FRONT = 2
"""Which trace the slider changes."""

# Without the ends, which would be faint on dark or on paper.
_COLORS = sample_colorscale("Viridis", np.linspace(0.18, 0.88, 9).tolist())
_ALIKE = ["rgba(138, 144, 155, 0.5)"] * 2
_BEYOND = "rgba(138, 144, 155, 0.16)"
_HIGHLIGHT: dict[str, Any] = {
    "selected": {"marker": {"color": style.SELECTED, "size": 15, "opacity": 1.0}},
    "unselected": {"marker": {"opacity": 1.0}},
}
_SIZES = (3.0, 14.0)
_WIDE = 20.0


def third_figure(
    table: pd.DataFrame,
    fronts: LimitedFronts,
    *,
    as_size: bool = False,
    log_x: bool = False,
    log_y: bool = False,
    start: int | None = None,
    one: str = "subnet",
) -> go.Figure:
    """Scatter of all subnets with their third objective, and the front within a limit.

    Args:
        table: the rows the fronts were made of; `arch_id` and a column per objective.
        fronts: under every limit.
        as_size: draw the third objective as size instead of color.
        log_x, log_y: logarithmic axes.
        start: which limit the slider stands at; the loosest if left out.
        one: what a row is.

    Returns:
        Traces "all subnets", "front without a limit", "front within the limit"; customdata is the id, on the last
        one the id, a bar and the number of the limit. One slider, whose steps change that trace alone.
    """
    x, y, third = fronts.goals
    at = fronts.loosest if start is None else start
    look = _Look(third, table[third.name].to_numpy(float), as_size)
    rows = drawable(table, x, y, log_x, log_y)
    rows = thin(rows[np.isfinite(rows[third.name].to_numpy(float))], MOST_POINTS)
    stands = standing(rows, fronts.names)
    figure = go.Figure()
    figure.add_scatter(
        name=f"all {one}s",
        x=drawn(rows, x),
        y=drawn(rows, y),
        customdata=rows["arch_id"].to_numpy(object),
        mode="markers",
        # What is only predicted is hollow.
        marker=look.marker(rows) | ({} if stands.all() else {"symbol": _symbols(stands)}),
        text=look.texts(rows),
        hovertemplate=_hover(x, y, third, one),
        showlegend=False,
        **_HIGHLIGHT,
    )
    whole = table.iloc[fronts.members[fronts.loosest]]
    line = {"width": 1.6, "shape": "vh" if x.maximize else "hv"}
    figure.add_scatter(
        name="front without a limit",
        x=drawn(whole, x),
        y=drawn(whole, y),
        mode="lines",
        line={**line, "color": style.DOMINATED, "dash": "dot"},
        hoverinfo="skip",
    )
    members = table.iloc[fronts.members[at]]
    figure.add_scatter(
        name="front within the limit",
        **_member_arrays(members, fronts, look, at),
        mode="lines+markers",
        line={**line, "color": style.FRONT},
        marker={**look.marker(members), "line": {"color": style.FRONT, "width": 2.2}},
        hovertemplate=_hover(x, y, third, "front within the limit"),
        **_HIGHLIGHT,
    )
    lay_out_axes(figure, x, y, log_x, log_y)
    figure.update_layout(
        height=560,
        margin={"l": 8, "r": 12, "t": 36, "b": 132},
        **LAYOUT,
        coloraxis=look.axis(fronts, at),
        sliders=[_slider(table, fronts, look, at)],
    )
    return figure


def _symbols(stands: NDArray[np.bool_]) -> list[str]:
    return ["circle" if each else "circle-open" for each in stands.tolist()]


class _Look:
    """How the third objective is drawn: sizes, and colors that end at the limit; by magnitude where values span much."""

    def __init__(self, third: Objective, values: NDArray[np.float64], as_size: bool) -> None:
        self.third, self.as_size = third, as_size
        finite = values[np.isfinite(values)]
        low, high = float(finite.min()), float(finite.max())
        self.by_magnitude = low > 0 and high > _WIDE * low
        self.low, self.high = self._place(low), self._place(high)
        self.span = (self.high - self.low) or 1.0

    def _place(self, value: Any) -> Any:
        return np.log10(value) if self.by_magnitude else value

    def marker(self, rows: pd.DataFrame) -> dict[str, Any]:
        """Colors by value in any case: in size mode they only tell what lies beyond the limit."""
        places = self._place(rows[self.third.name].to_numpy(float))
        share = np.clip((places - self.low) / self.span, 0, 1)
        sizes = np.round(_SIZES[0] + (_SIZES[1] - _SIZES[0]) * np.sqrt(share), 1)
        return {
            "color": np.round(places, 6),
            "coloraxis": "coloraxis",
            # The nearest of two equally large dots takes the click, and of two as near the one on top: the front's.
            "size": sizes if self.as_size else 6.0,
            "opacity": 1.0,
        }

    def texts(self, rows: pd.DataFrame) -> list[str]:
        """The values as a person reads them."""
        return [format_value(value, self.third) for value in rows[self.third.name].tolist()]

    def colors(self, limit: float, loosest: bool) -> list[list[float | str]]:
        """A color scale that is faint beyond the limit."""
        base = _ALIKE if self.as_size else _COLORS
        stops = np.linspace(0, 1, len(base)).tolist()
        whole: list[list[float | str]] = [[at, color] for at, color in zip(stops, base, strict=True)]
        if loosest:
            return whole
        edge = (float(self._place(limit)) - self.low) / self.span
        # A subnet exactly at the limit keeps its color.
        edge = float(np.clip(edge - 1e-5 if self.third.maximize else edge + 1e-5, 1e-5, 1 - 1e-5))
        there = base[0] if self.as_size else sample_colorscale(base, edge)[0]
        if self.third.maximize:
            return [[0.0, _BEYOND], [edge, _BEYOND], [edge, there], *(s for s in whole if float(s[0]) > edge)]
        return [*(s for s in whole if float(s[0]) < edge), [edge, there], [edge, _BEYOND], [1.0, _BEYOND]]

    def axis(self, fronts: LimitedFronts, at: int) -> dict[str, Any]:
        """The color axis that both traces share."""
        ticks = [self.low + self.span * share for share in np.linspace(0.02, 0.98, 6).tolist()]
        values = [10**tick if self.by_magnitude else tick for tick in ticks]
        return {
            "colorscale": self.colors(fronts.limits[at], at == fronts.loosest),
            "cmin": self.low,
            "cmax": self.low + self.span,
            "showscale": not self.as_size,
            "colorbar": {
                "title": {"text": for_figure(axis_title(self.third)), "side": "right"},
                "thickness": 12,
                "outlinewidth": 0,
                "tickvals": ticks,
                "ticktext": [for_figure(format_value(value, self.third)) for value in values],
            },
        }


def _slider(table: pd.DataFrame, fronts: LimitedFronts, look: _Look, at: int) -> dict[str, Any]:
    third = look.third
    steps = []
    for number, (limit, positions) in enumerate(zip(fronts.limits, fronts.members, strict=True)):
        loosest = number == fronts.loosest
        rows = table.iloc[positions]
        marker = look.marker(rows)
        changed = _member_arrays(rows, fronts, look, number) | {"marker.color": marker["color"]}
        if look.as_size:
            changed["marker.size"] = marker["size"]
        # Numbers of selected points would mean other subnets now.
        arrays = {key: [list(values)] for key, values in changed.items()} | {"selectedpoints": [None]}
        steps.append(
            {
                "label": "no limit" if loosest else for_figure(format_value(limit, third)),
                "method": "update",
                "args": [arrays, {"coloraxis.colorscale": look.colors(limit, loosest)}, [FRONT]],
            }
        )
    word = "at least" if third.maximize else "at most"
    return {
        "active": at,
        "steps": steps,
        "currentvalue": {
            "prefix": f"{for_figure(third.label)} {word}: ",
            "font": {"size": 15},
            "xanchor": "left",
        },
        "pad": {"t": 62, "b": 4},
        "len": 1.0,
        "activebgcolor": style.FRONT,
        "bordercolor": style.DOMINATED,
        "tickcolor": style.DOMINATED,
    }


def _member_arrays(rows: pd.DataFrame, fronts: LimitedFronts, look: _Look, number: int) -> dict[str, Any]:
    x, y, _ = fronts.goals
    ids = [f"{arch_id}{SEPARATOR}{number}" for arch_id in rows["arch_id"]]
    return {"x": drawn(rows, x), "y": drawn(rows, y), "customdata": ids, "text": look.texts(rows)}


def _hover(x: Objective, y: Objective, third: Objective, kind: str) -> str:
    return hover(x, y, kind).replace("<extra>", f"<br>{for_figure(third.label)} %{{text}}<extra>")
