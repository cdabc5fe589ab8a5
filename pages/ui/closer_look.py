"""A closer look below a chart: panels of which one at a time is open, each of them loaded when it is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from typing import Any, Protocol, TypeVar, cast

import streamlit as st

from pages.ui.setup import unseen_heading


class View(Protocol):
    """The view of a page that has such panels.

    Attributes:
        closer: name of the open panel, "" for none.
    """

    @property
    def closer(self) -> str: ...

    def without_panel(self) -> View:
        """The same view with no panel open."""


V = TypeVar("V", bound=View)


class Panel(Protocol):
    """A module with a panel."""

    def draw(self, scene: Any, kept: Any, view: Any) -> Any:
        """Draw it; returns the view of the page with what the panel adds.

        Args:
            scene: of the page.
            kept: the view shown last, which widgets start from.
            view: of the page with this panel open, without what the panel adds.
        """


def draw(scene: Any, view: V, kept: V, *, folder: str, titles: Mapping[str, str], key: str, about: str) -> V:
    """Choose a panel and draw it; returns the view of the page with what the panel adds.

    Args:
        scene: of the page, handed on to the panel.
        view: what the page shows.
        kept: what it has shown last.
        folder: package of the panels' modules.
        titles: module -> what a person reads, in their order.
        key: of the widget.
        about: help beside it.
    """
    if key not in st.session_state:
        st.session_state[key] = kept.closer or None
    name = st.segmented_control(
        "A closer look",
        list(titles),
        format_func=titles.__getitem__,
        key=key,
        help=f"{about} Press the open one again to close it.",
    )
    closed = cast(V, view.without_panel())
    if name is None:
        return closed
    opened: V = replace(closed, closer=name)  # type: ignore[type-var]
    panel = cast(Panel, import_module(f"{folder}.{name}"))
    with st.container(key=f"look-{name}"):
        unseen_heading(titles[name])
        return cast(V, panel.draw(scene, kept if kept.closer == name else opened, opened))
