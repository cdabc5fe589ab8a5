"""Beside searching: judging architectures without measuring them, and a search for layers instead of networks.

One panel at a time, loaded when it is opened.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Protocol, cast

import streamlit as st

from core.library.supernets import SupernetEntry
from core.records import Run
from pages.ui.setup import unseen_heading

_TITLES = {"predictors": "Predictors", "proxies": "Zero-cost proxies", "norm": "Evolved layers"}


class Panel(Protocol):
    """A module of this folder, called `..._panel`."""

    def panel(self, entry: SupernetEntry, searches: Sequence[Run]) -> None:
        """Draw it."""


def draw(entry: SupernetEntry, searches: Sequence[Run]) -> None:
    """Choose a panel and draw it.

    Args:
        entry: the supernet.
        searches: of this supernet, newest first; there may be none.
    """
    name = st.segmented_control(
        "Beside searching",
        list(_TITLES),
        format_func=_TITLES.__getitem__,
        key="search-guessing",
        help="Predictors learn from measured architectures and guess the others; zero-cost proxies score untrained "
        "networks. How well either orders architectures, held against what was measured. Evolved layers: a search for what normalizes "
        "and activates. Press the open one again to close it.",
    )
    if name is None:
        return
    panel = cast(Panel, import_module(f"pages.ui.search.{name}_panel"))
    with st.container(key=f"guessing-{name}"):
        unseen_heading(_TITLES[name])
        panel.panel(entry, searches)
