"""An open lesson: its evidence, read once, and its figure, drawn once for each thing it shows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import streamlit as st

from core.errors import CoreError, InvalidInput
from core.lessons.asking import Answer
from core.lessons.base import (
    SUPERNET,
    Evidence,
    Lesson,
    Shown,
    TableLesson,
    all_lessons,
    controls_of,
    evidence_of,
)
from core.library.library import Library
from core.plots.lessons import draw
from pages.ui import resources
from pages.ui.classroom.member import sandbox
from pages.ui.learn.view import View, from_json

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from core.lessons.charts import Chart


@lru_cache(maxsize=1)
def lessons() -> dict[str, Lesson[Any]]:
    """Every lesson by name, in order."""
    return {each.name: each for each in all_lessons()}


@dataclass(frozen=True, eq=False)
class Opened:
    """A lesson and what it is computed from.

    Attributes:
        lesson: it.
        evidence: what was measured.
        key: changes whenever the evidence does.
        now: where the controls stand.
        settled: where they stood when the prediction was locked.
        replaced: why the evidence that was asked for cannot be shown, and the shipped one is; "" if it can.
    """

    lesson: Lesson[Any]
    evidence: Evidence
    key: str
    now: dict[str, Answer]
    settled: dict[str, Answer]
    replaced: str = ""


def open_lesson(view: View) -> Opened | str:
    """The lesson that a view names; a sentence where not even its shipped evidence can be read."""
    lesson = lessons()[view.lesson]
    library, replaced = Library(resources.store_or_none()), ""
    try:
        evidence, key = _read(lesson, library, view)
    except CoreError as error:
        replaced = f"{error} The shipped run is shown instead."
        try:
            evidence, key = _read(lesson, library, View(lesson=view.lesson))
        except CoreError as shipped:
            return str(shipped)
    now = controls_of(lesson, evidence, from_json(view.controls))
    settled = controls_of(lesson, evidence, from_json(view.settled)) if view.settled else now
    return Opened(lesson, evidence, key, now, settled, replaced)


def _read(lesson: Lesson[Any], library: Library, view: View) -> tuple[Evidence, str]:
    if isinstance(lesson, TableLesson):
        entry = library.supernet(view.supernet or SUPERNET)
        key = f"{lesson.name}:{entry.supernet_id}:{entry.revision}:{view.seed}"
    else:
        if view.run and library.require_store().get_run(view.run).params.get("lesson") != lesson.name:
            raise InvalidInput("That run is of another lesson.")
        key = f"{lesson.name}:{view.run}"
    # Nobody sees what is kept in another one's sandbox, not even when its id is known.
    key = f"{sandbox() or ''}:{key}"
    return _evidence(key, lesson, library, view), key


@st.cache_resource(show_spinner=False, max_entries=128)
def _evidence(key: str, _lesson: Lesson[Any], _library: Library, _view: View) -> Evidence:
    found: Evidence = evidence_of(_lesson, _library, supernet=_view.supernet, run=_view.run, seed=_view.seed)
    return found


def chart_of(opened: Opened, shown: Shown) -> Chart:
    """What the figure shows, as data."""
    return _chart(f"{opened.key}:{shown!r}", opened, shown)


def figure_of(opened: Opened, shown: Shown) -> go.Figure:
    """The figure."""
    return _figure(f"{opened.key}:{shown!r}", opened, shown)


@st.cache_resource(show_spinner=False, max_entries=256)
def _chart(key: str, _opened: Opened, _shown: Shown) -> Chart:
    return _opened.lesson.figure(_opened.evidence, _shown)


@st.cache_resource(show_spinner=False, max_entries=256)
def _figure(key: str, _opened: Opened, _shown: Shown) -> go.Figure:
    return draw(chart_of(_opened, _shown))
