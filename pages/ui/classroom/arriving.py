"""Before one is in a class: make one, join one with a code, choose a nickname."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

import streamlit as st

from core.errors import CoreError, NotFound
from core.people import Action
from core.store.class_rows import LONGEST_NICKNAME, Room, read_code
from core.store.classes import NO_CLASS
from core.text import for_markdown
from pages.ui import resources
from pages.ui.classroom import member, state
from pages.ui.classroom.state import View
from pages.ui.home_store import home_store
from pages.ui.people import door

_WRONG_SECONDS = 0.25
_MOST_WAITING = 20
_TOO_MANY = "Too many wrong codes are being tried here just now; try again in a minute."
_KNOWN, _SAID = "class-known-codes", "class-said"

# One wrong code after the other, whoever tries it: four in a second, of two hundred million.
_wrong = threading.Lock()
_waiting = threading.Semaphore(_MOST_WAITING)


def room_of(code: str) -> Room:
    """The class with this code; a wrong code is answered slowly.

    Raises:
        NotFound: there is none.
        CoreError: the disk cannot be read.
    """
    known: set[str] = st.session_state.setdefault(_KNOWN, set())
    if code in known:
        return home_store().classes.get(code)
    if not _waiting.acquire(blocking=False):
        raise NotFound(_TOO_MANY)
    try:
        room = home_store().classes.get(code)
    except NotFound:
        with _wrong:
            time.sleep(_WRONG_SECONDS)
        raise
    finally:
        _waiting.release()
    known.add(room.code)
    return room


def draw() -> None:
    """Two doors: for a teacher and for a student."""
    say()
    left, right = st.columns(2, gap="medium")
    with left, st.container(border=True, key="class-door-teacher"):
        st.subheader("I teach", anchor=False)
        st.markdown(
            "Make a class: you get a code for your students and a link of your own to lead it. Nobody needs an account."
        )
        st.button(
            "New class",
            key="class-new",
            type="primary",
            icon=":material/add:",
            on_click=_make,
            **door.lock(Action.HOLD_CLASS),
        )
    with right, st.container(border=True, key="class-door-student"):
        st.subheader("I was given a code", anchor=False)
        with st.form("class-code-form", border=False):
            code = st.text_input(
                "Code of the class",
                key="class-code",
                max_chars=20,
                placeholder="six letters and digits",
                autocomplete="off",
            )
            if st.form_submit_button("Join", key="class-join", icon=":material/arrow_forward:"):
                _go_to(code)


def _make() -> None:
    try:
        room, secret = home_store().classes.create()
    except CoreError as error:
        st.session_state[_SAID] = str(error)
        return
    state.show(View(code=room.code, teacher=secret, show="join"))


def _go_to(code: str) -> None:
    known = read_code(code)
    try:
        # What can be no code is answered as slowly: no form of it says more than another.
        room = room_of(known)
    except CoreError as error:
        st.session_state[_SAID] = str(error)
    else:
        st.session_state[_SAID] = ""
        state.show(View(code=room.code))
    st.rerun()


def say() -> None:
    """What went wrong at the door, until something else is tried."""
    if said := st.session_state.get(_SAID, ""):
        st.warning(for_markdown(said, 400), icon=":material/error:")


def no_such_class() -> None:
    """Go back to the doors and say that the code is wrong."""
    st.session_state[_SAID] = NO_CLASS
    state.show(View())
    st.rerun()


def nickname(room: Room) -> None:
    """Choose a nickname and become a student."""
    say()
    with st.container(border=True, key="class-nickname-box"):
        st.subheader(f"Join class {room.code}", anchor=False)
        if room.rules.ended:
            st.markdown("This class is over; nobody joins it any more.")
            return
        with st.form("class-nickname-form", border=False):
            name = st.text_input(
                "Nickname",
                key="class-nickname",
                max_chars=LONGEST_NICKNAME,
                help="1 to 24 characters; the teacher sees it, and others see it in the contest. It need not be your name.",
                autocomplete="off",
            )
            if st.form_submit_button("Join the class", key="class-enter", type="primary"):
                _enter(room, name)
        st.caption(
            "This browser remembers that you are in the class, with a cookie, so that you find your runs again."
        )


def _enter(room: Room, name: str) -> None:
    try:
        student, secret = home_store().classes.join(room.code, name)
    except CoreError as error:
        st.session_state[_SAID] = str(error)
    else:
        st.session_state[_SAID] = ""
        member.enter(student, secret)
        if room.rules.paused:
            with suppress(CoreError):
                resources.manager().pause([student.student_id])
    st.rerun()
