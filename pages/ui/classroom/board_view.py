"""The board: predictions of one lesson as bars, and for the teacher who is where."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

import streamlit as st

from core.classes import board as boards
from core.classes.board import RIGHT, Board, LessonBoard
from core.lessons.base import all_lessons
from core.plots.lessons import draw as draw_chart
from core.store.class_rows import Room
from core.text import for_markdown
from pages.ui import state
from pages.ui.classroom.state import change
from pages.ui.home_store import home_store
from pages.ui.tables import html_table

_LATELY_SECONDS = 3.0
_LESSON = "cl-lesson"
_STEPS = {
    "": "",
    "open": "reads",
    "predicted": "has predicted",
    "revealed": "has seen the answer",
    "answered": "answered, not right yet",
    "done": "done",
}


@st.cache_resource(show_spinner=False, max_entries=32)
def _board(code: str, version: int) -> Board:
    return boards.board_of(home_store(), code)


def current(room: Room) -> Board:
    """The board of a class as it is now; made once for all who look at it."""
    return _board(room.code, room.version)


@st.cache_resource(show_spinner=False, max_entries=32, ttl=_LATELY_SECONDS)
def lately(code: str) -> Board:
    """The board of a class as it was some seconds ago at most: thirty students look at it while it changes."""
    return current(home_store().classes.get(code))


def labels() -> dict[str, str]:
    """Label of every lesson by name, in their order."""
    return {
        each.name: each.label if each.optional else f"{each.place}. {each.label}" for each in all_lessons()
    }


def choose(offered: Mapping[str, str], name: str) -> None:
    """A chooser of the lesson that the board shows, in the view and the address; `name` is it now."""
    state.keep(_LESSON, offered, name)
    st.selectbox(
        "Lesson",
        list(offered),
        key=_LESSON,
        format_func=offered.__getitem__,
        on_change=lambda: change(lesson=st.session_state[_LESSON]),
        width=320,
    )


def of_lesson(seen: Board, name: str) -> LessonBoard | None:
    """A lesson's board; None while nobody has begun it."""
    return next((each for each in seen.lessons if each.name == name), None)


def counts(each: LessonBoard | None, students: int) -> None:
    """How many have predicted and answered, in one line."""
    predicted = each.predicted if each else 0
    text = f"**{predicted} of {students}** have predicted"
    if each and each.late:
        text += f", {each.late} after the reveal (not counted)"
    if each and each.answered:
        text += f" · **{each.right} of {each.answered}** answered the question rightly"
    st.markdown(f"{text}.")


def chart(each: LessonBoard | None) -> None:
    """The predictions as bars, and what the lesson's own run shows."""
    if each is None or not each.predicted:
        st.caption("No prediction yet.")
        return
    with st.container(key="class-distribution"):
        st.plotly_chart(
            draw_chart(each.distribution),
            key=f"class-bars-{each.name}",
            width="stretch",
            config={"displayModeBar": False},
            alt=f"Predictions of the class in the lesson {each.label}",
        )
        st.html(f'<p class="ps-unseen">{html.escape(each.distribution.says)}</p>')
    if each.revealed and each.truth:
        marks = any(name.startswith(RIGHT) for name in each.distribution.names)
        told = f" {RIGHT} stands before what is right in it." if marks else ""
        asked = boards.asked_of(each.name)
        at = ", with its controls where they start" if asked and asked.controls else ""
        st.markdown(
            f"The run that the lesson came with shows{at}: **{for_markdown(each.truth, 300)}**.{told}"
        )


def seats(seen: Board) -> None:
    """Who is where."""
    if not seen.seats:
        st.caption("Nobody has joined yet.")
        return
    rows = [
        {
            "student": seat.name,
            "is at": seat.lesson or "no lesson yet",
            "step": _STEPS.get(seat.step, seat.step),
            "lessons done": str(seat.done),
            "answers right": f"{seat.right} of {seat.tried}" if seat.tried else "",
        }
        for seat in seen.seats
    ]
    with st.container(key="class-seats"):
        html_table(rows, "Where everybody is")


def busiest(seen: Board, names: Sequence[str]) -> str:
    """The lesson that most students have open; the first one if nobody has any."""
    shown = {each.label: each.name for each in all_lessons()}
    opened = [shown[seat.lesson] for seat in seen.seats if seat.lesson in shown]
    return max(names, key=lambda name: (opened.count(name), -names.index(name)))
