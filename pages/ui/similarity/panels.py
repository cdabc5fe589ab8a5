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
    "Heads": "heads_panel",
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
TASKS = ("image", "tokens", "language")
"""Kinds of data whose networks are compared here."""
_NO_IMAGES = {
    "Depth": "how much layers resemble raw pixels. The numbers of tokens are names: no distance between them means anything",
    "Complexity": "the images in which a feature is strongest, found by features that are never negative",
    "Mixing": "networks between two others, judged on images",
    "Equally good": "the images on which equally good networks disagree",
}
"""Tabs that have no meaning for texts, and what they show."""
_NO_CLASSES = {
    "Samples": "samples by their class and by one answer of each network",
    "Answers": "the one answer that each network gives to a sample",
    "Collapse": "how samples of a class come together",
}
"""Tabs that have no meaning for language, whose windows have no class."""


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


def refusal(label: str, task: str) -> str:
    """Why a tab has no meaning for a kind of data; "" where it has one."""
    if task != "image" and label in _NO_IMAGES:
        return f"{label} shows {_NO_IMAGES[label]}. For networks that read texts, compare layers, units or heads."
    if task == "language" and label in _NO_CLASSES:
        return (
            f"{label} shows {_NO_CLASSES[label]}, and a window of language has none: every position is answered. Compare "
            "layers, units or heads."
        )
    return ""


def draw(view: Compared, task: str, a: Model, b: Model, comparison: ModelComparison) -> None:
    """Draw the open tab; the others cost nothing until they are opened."""
    tabs = st.tabs([*_PANELS, _NUMBERS], key=TABS, on_change="rerun")
    for tab, (label, module) in zip(tabs, _PANELS.items(), strict=False):
        with tab:
            if tab.open:
                with st.container(key="panel"):
                    if why := refusal(label, task):
                        st.info(why, icon=":material/block:")
                    else:
                        _panel(module)(view)
    with tabs[-1]:
        if tabs[-1].open:
            numbers_panel.panel(a, b, comparison)


def _panel(module: str) -> Callable[[Compared], None]:
    """Imported when first opened: some panels load libraries that the heatmap does not need."""
    panel: Callable[[Compared], None] = import_module(f"pages.ui.similarity.{module}").panel
    return panel
