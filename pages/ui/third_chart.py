"""A third objective as color or size, with a slider that limits it: the chart that two pages share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from core.plots.finished import finished, with_selected
from core.plots.third_objective import SEPARATOR, third_figure
from core.views.third_objective import LimitedFronts
from pages.ui.selection import Selection, picked_texts

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


@dataclass(frozen=True)
class Look:
    """What decides the figure, but for what is selected.

    Attributes:
        key: of the table, the limits and the objectives.
        as_size: size instead of color.
        log_x, log_y: of the axes.
        start: number of the limit that the slider starts at.
        one: what one point is, "subnet" or "row".
    """

    key: str
    as_size: bool
    log_x: bool
    log_y: bool
    start: int
    one: str


def chart(
    table: pd.DataFrame,
    fronts: LimitedFronts,
    look: Look,
    picked: Selection[str],
    *,
    widget: str,
    on_select: Callable[[], None],
    modes: Sequence[str],
) -> None:
    """Draw it.

    Args:
        table: its points.
        fronts: within each limit.
        look: of the figure.
        picked: what is highlighted.
        widget: key of the chart.
        on_select: called after a click, a box or a lasso.
        modes: which of these there are.
    """
    with st.container(key="third-place"):
        st.plotly_chart(
            _selected(look, picked.start(widget, look), picked.edition(), fronts, table),
            key=widget,
            on_select=on_select,
            selection_mode=tuple(modes),  # type: ignore[arg-type]
            width="stretch",
            alt=f"Scatter chart of the {look.one}s with a third objective as color or size, the front within a limit on it, "
            "and a slider that moves the limit; the table below says what limits cost.",
            config={"displaylogo": False, "scrollZoom": True, "modeBarButtonsToRemove": ["autoScale2d"]},
        )


@st.cache_resource(show_spinner=False, max_entries=32)
def _selected(
    look: Look, selected: str, edition: int, _fronts: LimitedFronts, _table: pd.DataFrame
) -> go.Figure:
    return with_selected(_figure(look, _fronts, _table), selected, edition, end=SEPARATOR)


@st.cache_resource(show_spinner=False, max_entries=16)
def _figure(look: Look, _fronts: LimitedFronts, _table: pd.DataFrame) -> go.Figure:
    return finished(
        third_figure(
            _table,
            _fronts,
            as_size=look.as_size,
            log_x=look.log_x,
            log_y=look.log_y,
            start=look.start,
            one=look.one,
        )
    )


def told(event: object, limits: Sequence[float], limit: Selection[float | None]) -> str:
    """What was clicked, "" for nothing; the click also tells where the slider stands, which only the chart knows.

    Args:
        event: of the chart.
        limits: of its slider, in order.
        limit: takes the one that it stands at.
    """
    texts = picked_texts(event)
    numbers = [int(number) for _, _, number in (t.partition(SEPARATOR) for t in texts) if number.isdecimal()]
    if numbers and numbers[0] < len(limits):
        limit.clicked(limits[numbers[0]])
    return texts[0].partition(SEPARATOR)[0] if texts else ""
