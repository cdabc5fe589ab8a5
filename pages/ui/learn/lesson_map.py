"""The map of the lessons: what each is about, how long it takes, and what one has done."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

import streamlit as st

from core.lessons.base import Lesson
from core.lessons.taken import Taken
from core.text import for_markdown
from pages.ui.learn import state
from pages.ui.learn.opened import lessons
from pages.ui.learn.view import View
from pages.ui.setup import show_around, unseen_heading

_ACROSS = 3
_STATES = {
    "open": ("○", "not begun"),
    "predicted": ("◔", "predicted"),
    "revealed": ("◑", "revealed"),
    "answered": ("◕", "answered, not yet right"),
    "done": ("●", "done"),
}


def draw(view: View) -> None:
    """Draw the map and write its address."""
    every, taken, done = list(lessons().values()), state.record().all(), state.done()
    main = [each for each in every if not each.optional]
    unseen_heading("The lessons")
    upcoming = next((each for each in main if each.name not in done), None)
    with st.container(key="lesson-start"):
        st.markdown(_said(len(main), sum(each.name in done for each in main)))
        if upcoming is not None:
            begun = taken.get(upcoming.name, Taken()) != Taken()
            st.button(
                f"{'Go on with' if begun else 'Begin with'} lesson {upcoming.place}",
                key="lesson-upcoming",
                type="primary",
                icon=":material/play_arrow:",
                on_click=state.open_named,
                args=(upcoming.name,),
            )
    with st.container(key="lesson-list"):
        for row in range(0, len(every), _ACROSS):
            columns = st.columns(_ACROSS, gap="small")
            for each, column in zip(every[row : row + _ACROSS], columns, strict=False):
                with column, st.container(border=True, key=f"lesson-card-{each.name}", height="stretch"):
                    _card(each, "done" if each.name in done else taken.get(each.name, Taken()).step)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "For teachers",
            key="lesson-guide",
            icon=":material/co_present:",
            on_click=state.show,
            args=(replace(view, guide=True),),
            help="45 minutes with a class, notes for each lesson, and who can see what.",
        )
        show_around()
    state.publish(view)


def _said(n: int, done: int) -> str:
    if done == n:
        return f"**All {n} lessons are done.** Open any of them again, with a seed of your own."
    so_far = f"**{done} of {n} done.** " if done else ""
    return (
        f"{so_far}Each lesson takes five to ten minutes: read, predict, look, answer. What you see was measured, "
        "and every answer is computed from it. What you have done stands in this page's address."
    )


def _card(each: Lesson[Any], step: str) -> None:
    symbol, said = _STATES[step]
    about = inspect.cleandoc(type(each).__doc__ or "").split("\n\n")[0]
    number = "Beyond the twelve" if each.optional else f"Lesson {each.place}"
    # Markdown, not HTML: its part of the scripts is there at once, and the cards keep their places.
    st.markdown(
        f"{number} · {each.teacher.minutes} min\n### {for_markdown(each.label)}\n{for_markdown(about, 300)}\n\n{symbol} {said}"
    )
    st.button(
        "Open" if step == "open" else "Go on" if step != "done" else "Open again",
        key=f"lesson-open-{each.name}",
        on_click=state.open_named,
        args=(each.name,),
        icon=":material/arrow_forward:",
        help=each.label,
    )
