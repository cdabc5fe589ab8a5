"""The tabs below the heatmap: each asks one question of the selected models; only the open one is computed."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import streamlit as st

from core.library.networks import Model
from core.views.compare_models import ModelComparison
from pages.ui import state
from pages.ui.address import missing
from pages.ui.similarity import numbers_panel
from pages.ui.similarity.selection import MATRIX, Compared
from pages.ui.similarity.view_state import TABS, address

_PANELS = {
    "Units": "units_panel",
    "Samples": "samples_panel",
    "Answers": "outputs_panel",
    "Depth": "depth_panel",
    "Collapse": "collapse_panel",
    "Complexity": "complexity_panel",
    "Map": "map_panel",
    MATRIX: "matrix_panel",
    "Shared or alone": "alone_panel",
    "Mixing": "mixing_panel",
    "Equally good": "rashomon_panel",
}
_NUMBERS = "Numbers"


def open_tab() -> str:
    """Label of the open tab, "" for the first."""
    label = str(st.session_state.get(TABS) or "")
    return label if label != next(iter(_PANELS)) else ""


def start_tab(label: str) -> None:
    """Open the tab that a link names, before the tabs are drawn for the first time."""
    if label in (*_PANELS, _NUMBERS):
        state.start(TABS, label)
    elif label:
        address.also_missing(missing("tab", label, [*_PANELS, _NUMBERS]))


def draw(view: Compared, a: Model, b: Model, comparison: ModelComparison) -> None:
    """Draw the open tab; the others cost nothing until they are opened."""
    tabs = st.tabs([*_PANELS, _NUMBERS], key=TABS, on_change="rerun")
    for tab, module in zip(tabs, _PANELS.values(), strict=False):
        with tab:
            if tab.open:
                with st.container(key="panel"):
                    _panel(module)(view)
    with tabs[-1]:
        if tabs[-1].open:
            numbers_panel.panel(a, b, comparison)


def _panel(module: str) -> Callable[[Compared], None]:
    """Imported when first opened: some panels load libraries that the heatmap does not need."""
    panel: Callable[[Compared], None] = import_module(f"pages.ui.similarity.{module}").panel
    return panel
