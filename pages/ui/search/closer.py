"""A closer look at searches: panels of which one at a time is open, each of them loaded when it is opened."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, cast

import streamlit as st

from core.library.supernets import SupernetEntry
from pages.ui.search.race_panel import Chosen, Raced
from pages.ui.setup import unseen_heading

_TITLES = {
    "replay": "Replay",
    "attainment": "What is attained",
}


@dataclass(frozen=True, eq=False)
class Scene:
    """What panels draw from.

    Attributes:
        entry: the supernet.
        chosen: the searches shown, and the one that is drawn.
        raced: their race; None where nothing that counts was measured.
    """

    entry: SupernetEntry
    chosen: Chosen
    raced: Raced | None


class Panel(Protocol):
    """A module of this folder, called `..._panel`."""

    def draw(self, scene: Scene) -> None:
        """Draw it."""


def draw(scene: Scene) -> None:
    """Choose a panel and draw it."""
    name = st.segmented_control(
        "A closer look",
        list(_TITLES),
        format_func=_TITLES.__getitem__,
        key="search-closer",
        help="The race step by step; which places of the trade-off the best, the middle and the worst seed reached. "
        "Press the open one again to close it.",
    )
    if name is None:
        return
    panel = cast(Panel, import_module(f"pages.ui.search.{name}_panel"))
    with st.container(key=f"search-look-{name}"):
        unseen_heading(_TITLES[name])
        panel.draw(scene)
