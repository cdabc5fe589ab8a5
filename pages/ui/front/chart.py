"""The hero: the front as a chart that answers a click, behind one signature.

The figure stays byte for byte the same while a person clicks, because Streamlit takes a changed
figure for a new chart and drops zoom and selection. So the callback writes the selected id and
nothing else; the highlight is the trace's own static styling.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st

from core.library.fronts import Front
from core.library.network_id import NetworkId
from core.objectives.base import objective
from core.plots.finished import finished, has_selected, with_selected
from core.plots.front import SUBNETS, front_figure
from core.plots.front_chance import ChanceMarks
from pages.ui.front.pruned_overlay import PICKED
from pages.ui.front.state import selection
from pages.ui.selection import picked_on

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    _Drawn = tuple[Front, pd.DataFrame | None, ChanceMarks | None, pd.DataFrame | None, pd.DataFrame | None]

KEY = "front-chart"


@dataclass(frozen=True)
class ChartView:
    """Everything that decides the figure except the data.

    Attributes:
        key: changes whenever the front's rows do.
        x, y: objective names.
        log_x, log_y: logarithmic axes.
        line: draw the step line.
        mark_knees: draw diamonds at the knees.
        selected: id highlighted at first.
        what_if, what_if_from: (x, y) of the ghost and of where it comes from.
        caption: written under the axis and exported with the picture.
        picture: "svg" or "png", for the camera button.
        name: file name of the picture.
        pruned: changes whenever the pruned networks beside the front do.
        trained: changes whenever the networks trained on their own beside the front do.
        uniform: draw the uniform sizes; changes nothing but that.
        edition: of the selection, see `pages.ui.selection`.
        whiskers: draw the members' intervals.
        sure: changes whenever what is known of how sure the members are does.
    """

    key: str
    x: str
    y: str
    log_x: bool
    log_y: bool
    line: bool
    mark_knees: bool
    caption: str
    selected: str = ""
    what_if: tuple[float, float] | None = None
    what_if_from: tuple[float, float] | None = None
    picture: str = "svg"
    name: str = "front"
    pruned: str = ""
    trained: str = ""
    uniform: bool = False
    edition: int = 0
    whiskers: bool = False
    sure: str = ""


def front_chart(
    front: Front,
    view: ChartView,
    pruned: pd.DataFrame | None = None,
    marks: ChanceMarks | None = None,
    trained: pd.DataFrame | None = None,
    uniform: pd.DataFrame | None = None,
) -> None:
    """Draw the chart; a click on a point becomes the session's selection."""
    st.plotly_chart(
        _figure(repr(view), view, (front, pruned, marks, trained, uniform)),
        key=KEY,
        on_select=_remember,
        selection_mode="points",
        width="stretch",
        # As high as its place, which the styles make lower where the window is.
        height="stretch",
        alt="Scatter chart of all evaluated subnets with the front on top; the table and the chooser beside it hold the same.",
        config={
            "displaylogo": False,
            "scrollZoom": True,
            "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
            "toImageButtonOptions": {
                "format": view.picture,
                "filename": view.name,
                "scale": 2 if view.picture == "png" else 1,
            },
        },
    )
    # On a phone the chart's own lines are wider than it: there the styles show this one instead, below it.
    st.html(f'<p class="ps-phone-caption">{view.caption}</p>')


@st.cache_resource(show_spinner=False, max_entries=64)
def _figure(key: str, _view: ChartView, _drawn: _Drawn) -> go.Figure:
    same = replace(_view, selected="", edition=0)
    figure = with_selected(
        _unselected(repr(same), same, _drawn), _view.selected, _view.edition, traces=SUBNETS
    )
    # Of many predicted subnets few are drawn, and the selected one in any case.
    return figure if has_selected(figure) else finished(_built(_view, *_drawn), _view.edition)


@st.cache_resource(show_spinner=False, max_entries=16)
def _unselected(key: str, _view: ChartView, _drawn: _Drawn) -> go.Figure:
    return finished(_built(_view, *_drawn))


def _built(
    view: ChartView,
    front: Front,
    pruned: pd.DataFrame | None,
    marks: ChanceMarks | None,
    trained: pd.DataFrame | None,
    uniform: pd.DataFrame | None,
) -> go.Figure:
    return front_figure(
        front.table,
        objective(view.x),
        objective(view.y),
        log_x=view.log_x,
        log_y=view.log_y,
        line=view.line,
        knees=list(front.knees.values()) if view.mark_knees else (),
        selected=view.selected or None,
        what_if=_point(view, view.what_if),
        what_if_from=_point(view, view.what_if_from),
        pruned=pruned,
        trained=trained,
        uniform=uniform,
        chance=marks,
        caption=view.caption,
    )


def _point(view: ChartView, values: tuple[float, float] | None) -> Mapping[str, float] | None:
    return None if values is None else {view.x: values[0], view.y: values[1]}


def _remember() -> None:
    picked = picked_on(KEY)
    if (which := NetworkId.find(picked)) and which.origin == "pruned":
        st.session_state[PICKED] = picked
    elif picked:
        selection.clicked(picked)
