"""The tabs below the table: each asks one question of the selected network; only the open one is computed."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import streamlit as st

from core.library.networks import ModelInfo
from pages.ui import state
from pages.ui.pruning import experiments_panel
from pages.ui.pruning.shown import Shown

_PANELS = {
    "Geometry": ("local_panel", "panel"),
    "Map": ("map_panel", "panel"),
    "All angles": ("angles_panel", "panel"),
    "Samples": ("samples_panel", "panel"),
    "Accuracy": ("sparsity_panel", "accuracy"),
    "Collapse": ("sparsity_panel", "collapse"),
    "Numbers": ("numbers_panel", "panel"),
}
EXPERIMENTS = "Experiments"


def open_tab() -> str:
    """Label of the open tab, "" for the first."""
    label = str(st.session_state.get("pr-tabs") or "")
    return label if label != next(iter(_PANELS)) else ""


def start_tab(label: str) -> None:
    """Open the tab that a link names, before the tabs are drawn for the first time."""
    if label in (*_PANELS, EXPERIMENTS):
        state.start("pr-tabs", label)
    if label == EXPERIMENTS:
        state.start("pr-first-tabs", label)


def before_pruning(draw: Callable[[], None], parent: ModelInfo) -> None:
    """Before anything was pruned: the form, and the experiments, which need none of it."""
    form, experiments = st.tabs(["Prune", EXPERIMENTS], key="pr-first-tabs", on_change="rerun")
    with form:
        draw()
    with experiments:
        if experiments.open:
            experiments_panel.panel(parent)


def draw(shown: Shown, parent: ModelInfo) -> None:
    """Draw the open tab; the others cost nothing until they are opened."""
    tabs = st.tabs([*_PANELS, EXPERIMENTS], key="pr-tabs", on_change="rerun")
    for tab, (module, name) in zip(tabs, _PANELS.values(), strict=False):
        with tab:
            if tab.open:
                with st.container(key="panel"):
                    _panel(module, name)(shown)
    with tabs[-1]:
        if tabs[-1].open:
            experiments_panel.panel(parent)


def _panel(module: str, name: str) -> Callable[[Shown], None]:
    """Imported when first opened: some panels load libraries that the table does not need."""
    panel: Callable[[Shown], None] = getattr(import_module(f"pages.ui.pruning.{module}"), name)
    return panel
