"""The front of a table as a chart that answers a click; see `pages.ui.front.chart` for why it never changes by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.plots.finished import finished
from core.plots.front import front_figure
from core.text import display_name, for_figure
from core.words import count_of, format_count
from pages.ui.selection import picked_on
from pages.ui.table import state
from pages.ui.table.scene import Scene

if TYPE_CHECKING:
    import plotly.graph_objects as go

KEY = "table-chart"


def draw(scene: Scene) -> None:
    """Draw the chart; a click on a point selects its row."""
    look = f"{scene.key}{scene.log_x}{scene.log_y}{scene.line}{scene.mark_knees}{scene.table.name}"
    start, edition = state.selection.start(KEY, look), state.selection.edition()
    st.plotly_chart(
        _figure(look, start, edition, scene),
        key=KEY,
        on_select=_remember,
        selection_mode="points",
        width="stretch",
        height="stretch",
        alt="Scatter chart of the table's rows with the front on top; the table and the chooser beside it hold the same.",
        config={
            "displaylogo": False,
            "scrollZoom": True,
            "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
            "toImageButtonOptions": {
                "format": scene.picture,
                "filename": "front",
                "scale": 2 if scene.picture == "png" else 1,
            },
        },
    )
    st.html(f'<p class="ps-phone-caption">{caption(scene)}</p>')


def caption(scene: Scene) -> str:
    """The line below the axis, escaped for a figure: which table, how many rows."""
    found = scene.found
    parts = [
        for_figure(scene.table.name),
        f"{format_count(found.n_kept)} of {count_of(len(scene.rows), 'row')}",
        f"imported from {scene.about.format}",
    ]
    told = "<br>".join(f"{for_figure(goal.label)}: {goal.how}" for goal in (scene.x, scene.y))
    return "  ·  ".join(parts) + f"<br>{told}"


@st.cache_resource(show_spinner=False, max_entries=32)
def _figure(look: str, seed: str, edition: int, _scene: Scene) -> go.Figure:
    front = _scene.found.front
    figure = front_figure(
        front.table,
        _scene.x,
        _scene.y,
        log_x=_scene.log_x,
        log_y=_scene.log_y,
        line=_scene.line,
        knees=list(front.knees.values()) if _scene.mark_knees else (),
        selected=seed or None,
        caption=caption(_scene),
    )
    return finished(figure, edition)


def _remember() -> None:
    if picked := picked_on(KEY):
        state.selection.clicked(picked)


def title_of(scene: Scene) -> str:
    """What files of this front are called inside."""
    return f"Front of {display_name(scene.table.name)}"
