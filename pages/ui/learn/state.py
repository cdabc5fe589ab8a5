"""The Learn page's view over a session, and who keeps what was done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import streamlit as st

from core.errors import CoreError
from core.lessons.asking import Answer
from core.lessons.taken import Taken, decode
from core.text import for_markdown
from pages.ui.address import PageAddress
from pages.ui.classroom.member import member
from pages.ui.learn.class_record import ClassRecord
from pages.ui.learn.link_record import LinkRecord, finished
from pages.ui.learn.record import Record
from pages.ui.learn.view import View, as_json

WIDGETS = "ls-"
"""Prefix of the keys of widgets that start from the view."""
_PLACES, _DONE, _UNCHECKED = "learn-places", "learn-done", "learn-unchecked"
_BEFORE = "learn-before-reset"


def record() -> Record:
    """Who keeps what this visitor does: the class of a student, the address of everybody else."""
    found = member()
    return ClassRecord(found) if found else LinkRecord()


def class_hides() -> tuple[str, ...]:
    """What the teacher of this visitor's class has hidden."""
    found = member()
    return found.rules.hidden if found else ()


def _arrived(view: View) -> None:
    st.session_state[_DONE] = {*st.session_state.get(_DONE, ()), *view.done}
    kept = record()
    if view.lesson and isinstance(kept, LinkRecord):
        kept.put(view.lesson, decode(view.taken) if view.taken else Taken())
        st.session_state[_UNCHECKED] = view.lesson


_ADDRESS = PageAddress(View, key="learn-view", widgets=WIDGETS, on_arrival=_arrived)


def current_view() -> View:
    """The view from the address if a link brought the visitor here, else the session's own."""
    return _ADDRESS.current()


def kept_view() -> View:
    """What the page showed last."""
    return _ADDRESS.kept()


def publish(view: View) -> dict[str, str]:
    """Keep the view, write it into the address, and return the parameters."""
    taken = record().all()
    mine = taken.get(view.lesson, Taken())
    now = replace(
        view,
        taken=mine.encode() if mine != Taken() else "",
        settled=view.settled if mine.prediction is not None else "",
        done=done(),
    ).checked()
    if now.lesson:
        st.session_state[_PLACES] = {**st.session_state.get(_PLACES, {}), now.lesson: now}
    return _ADDRESS.publish(now)


def show(view: View) -> None:
    """Show this at the next run: somebody picked it."""
    _ADDRESS.start_over(view)


def change(**parts: object) -> None:
    """Show the same with other parts at the next run; widgets start from it anew."""
    show(replace(kept_view(), **parts))  # type: ignore[arg-type]


def open_named(name: str) -> None:
    """Open a lesson where it was left; the map for ""."""
    left: View | None = st.session_state.get(_PLACES, {}).get(name)
    show(left or View(lesson=name, hidden=kept_view().hidden))


def done() -> tuple[str, ...]:
    """Lessons that were taken to the end, here or before the link was kept."""
    return tuple(sorted({*st.session_state.get(_DONE, ()), *finished(record().all())}))


def begin_again(view: View) -> None:
    """Take back what was done in the open lesson."""
    kept = record()
    if isinstance(kept, LinkRecord):
        st.session_state[_BEFORE] = (view, kept.of(view.lesson))
    try:
        kept.reset(view.lesson)
    except CoreError as error:
        st.toast(for_markdown(error, 300), icon=":material/error:")
        return
    st.session_state[_DONE] = set(st.session_state.get(_DONE, ())) - {view.lesson}
    show(replace(view, step="", controls="", draft="", taken="", settled=""))


def can_undo(lesson: str) -> bool:
    """Whether `undo` brings back what `begin_again` took."""
    view, taken = st.session_state.get(_BEFORE, (View(), Taken()))
    return view.lesson == lesson and taken != Taken()


def undo() -> None:
    """Bring back what `begin_again` took."""
    view, taken = st.session_state.pop(_BEFORE, (None, Taken()))
    kept = record()
    if view is not None and isinstance(kept, LinkRecord):  # a second press finds it brought back
        kept.put(view.lesson, taken)
        show(view)


def just_arrived(lesson: str) -> bool:
    """Whether what is known of this lesson comes from a link and was not held against it yet; once."""
    return bool(st.session_state.get(_UNCHECKED) == lesson and st.session_state.pop(_UNCHECKED, None))


def controls_json(values: Mapping[str, Answer], starts: Mapping[str, Answer]) -> str:
    """Those controls that do not stand at their start, as the address has them."""
    return as_json({name: value for name, value in values.items() if value != starts.get(name)})
