"""The Front page's further settings: scales of the axes, what is marked, the picture, pruned networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from core.library.supernets import SupernetEntry
from core.records import Objective
from pages.ui import choosers
from pages.ui.front import pruned_overlay, trained_overlay, uniform_line
from pages.ui.front.state import View

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class More:
    """What was chosen; see `ChartView` and `View`."""

    log_x: bool
    log_y: bool
    line: bool
    mark_knees: bool
    whiskers: bool
    pruned_of: str
    trained: bool
    uniform: bool
    picture: str


def choose(entry: SupernetEntry, view: View, x: Objective, y: Objective, table: pd.DataFrame) -> More:
    """Draw the settings and return what is chosen now."""
    return More(
        log_x=choosers.choose_log(
            "Logarithmic across", "x", view.log_x if x.name == view.x else None, x, table
        ),
        log_y=choosers.choose_log("Logarithmic up", "y", view.log_y if y.name == view.y else None, y, table),
        line=st.toggle("Line through the front", value=True, key="log-line"),
        mark_knees=st.toggle(
            "Mark the knee",
            value=True,
            key="log-knee",
            help="The subnet where giving up a little of one objective buys most of the other.",
        ),
        whiskers=st.toggle(
            "Whiskers",
            value=False,
            key="log-whiskers",
            help="The 95 % interval (Wilson) of each member's accuracy, where an accuracy is the vertical axis.",
        ),
        pruned_of=pruned_overlay.choose(entry, view.pruned),
        trained=trained_overlay.choose(),
        uniform=uniform_line.choose(entry, table),
        picture=st.segmented_control(
            "Picture format",
            ["svg", "png"],
            default="svg",
            required=True,
            key="log-picture",
            help="What the camera button above the chart saves.",
        ),
    )
