"""A closer look at the front: panels of which one at a time is open, each of them loaded when it is opened."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import Protocol, cast

import streamlit as st

from pages.ui.front import state as front_state
from pages.ui.front.scene import Scene
from pages.ui.front.view import CLOSER, View
from pages.ui.setup import unseen_heading

_KEY = "closer-panel"
_TITLES = {
    "third": "Third objective",
    "parallel": "All objectives and choices",
    "importance": "Which choices matter",
    "several": "Several fronts",
}


class Panel(Protocol):
    """A module of this folder with a panel."""

    def draw(self, scene: Scene, kept: View, view: View) -> View:
        """Draw it; returns the view of the page with what the panel adds.

        Args:
            scene: of the page.
            kept: the view shown last, which widgets start from.
            view: of the page, without what the panel adds.
        """


def draw(scene: Scene) -> View:
    """Choose a panel and draw it; returns the view of the page with what the panel adds."""
    kept = front_state.kept_view()
    if _KEY not in st.session_state:
        st.session_state[_KEY] = kept.closer or None
    name = st.segmented_control(
        "A closer look",
        CLOSER,
        format_func=_TITLES.__getitem__,
        key=_KEY,
        help="A third objective and selecting many subnets; parallel coordinates; the importance of each choice; fronts "
        "of several objectives, supernets or pruned networks in one chart. Press the open one again to close it.",
    )
    view = scene.view.without_panel()
    if name is None:
        return view
    view = replace(view, closer=name)
    panel = cast(Panel, import_module(f"pages.ui.front.{name}"))
    with st.container(key=f"look-{name}"):
        unseen_heading(_TITLES[name])
        return panel.draw(
            scene, kept if kept.closer == name else replace(view, closer=name), replace(view, closer=name)
        )
