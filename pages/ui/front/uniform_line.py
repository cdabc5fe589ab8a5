"""The line of uniform sizes beside the front: what mixes of layers must beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.library.supernets import SupernetEntry
from core.views.memory import has_memory
from core.views.uniform import beaten_by, may_mix, uniform_front
from pages.ui.front.scene import Scene
from pages.ui.setup import note

if TYPE_CHECKING:
    import pandas as pd


def choose(entry: SupernetEntry, table: pd.DataFrame) -> bool:
    """Whether it is drawn; asked where layers may differ, and on at first for language models."""
    if not may_mix(entry.space):
        return False
    return st.toggle(
        "Uniform sizes",
        value=has_memory(table),
        key=f"log-uniform-{entry.supernet_id}",
        help="Subnets whose layers are all alike, at any depth, joined by a line: what one gets without mixing. Mixes below (or above, where "
        "more is better) that line are worth their trouble.",
    )


def points(scene: Scene) -> pd.DataFrame:
    """The uniform subnets that no other uniform one beats."""
    return _points(scene.chart.key, scene.front.names, scene)


@st.cache_resource(show_spinner=False, max_entries=32)
def _points(key: str, names: tuple[str, ...], _scene: Scene) -> pd.DataFrame:
    return uniform_front(_scene.shown.entry.space, _scene.front.table, names)


def told(scene: Scene) -> None:
    """What mixing gains, in a sentence below the chart."""
    if sentence := _told(scene.chart.key, scene.front.names, scene):
        note(sentence)


@st.cache_resource(show_spinner=False, max_entries=64)
def _told(key: str, names: tuple[str, ...], _scene: Scene) -> str:
    return beaten_by(_scene.front.table, points(_scene), _scene.x, _scene.y)
