"""Who this visitor is in a class, if in one: asked at every click, so nothing is read while nothing has changed.

A student's secret is kept in the session and in a cookie of this browser, so that a reload and a server that was started
anew find the sandbox again. It never stands in an address.
"""

from __future__ import annotations

import html
import re
import time
from dataclasses import dataclass

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from core.errors import CoreError
from core.store.class_rows import Room, Rules, Student
from pages.ui.home_store import home_store

COOKIE = "paretoscope-class"
"""Newest class first: code.student.secret, several joined by "~"."""

_PASSES = "class-passes"
_MEMBER = "class-member"
_WRITE = "class-cookie"
_PASS = re.compile(r"([A-Z0-9]{6})\.([0-9a-f]{32})\.([0-9a-f]{32})")
_MOST_PASSES = 4


@dataclass(frozen=True)
class Pass:
    """What makes a visitor a student: id and secret, as the cookie holds them."""

    code: str
    student_id: str
    secret: str

    def __str__(self) -> str:
        return f"{self.code}.{self.student_id}.{self.secret}"


@dataclass(frozen=True)
class Member:
    """A student of a class that this visitor is."""

    student: Student
    room: Room

    @property
    def rules(self) -> Rules:
        return self.room.rules


def sandbox() -> str | None:
    """Id of the sandbox of this visitor, a student of a class; None for everybody else."""
    found = member()
    return found.student.student_id if found else None


def member() -> Member | None:
    """Which student this visitor is; None for everybody else, also for who was removed.

    Reads two counters of the database at most once a second, and the student only after these changed.
    """
    if get_script_run_ctx(suppress_warning=True) is None:
        return None
    current = next(iter(passes()), None)
    if current is None:
        return None
    try:
        _, rules_version = home_store().classes.versions(current.code)
        known: tuple[Pass, int, Member | None] | None = st.session_state.get(_MEMBER)
        if known is None or known[:2] != (current, rules_version):
            known = st.session_state[_MEMBER] = (current, rules_version, _looked_up(current))
    except CoreError:
        return None  # the pages say what is wrong with the disk
    return known[2]


def _looked_up(held: Pass) -> Member | None:
    classes = home_store().classes
    student = classes.student(held.student_id, held.secret)
    return Member(student, classes.get(student.code)) if student and student.code == held.code else None


def passes() -> list[Pass]:
    """This visitor's passes, the class that counts first: of the session, of the cookie when it begins."""
    if _PASSES not in st.session_state:
        st.session_state[_PASSES] = read_cookie(st.context.cookies.get(COOKIE, ""))
    found: list[Pass] = st.session_state[_PASSES]
    return found


def read_cookie(text: str) -> list[Pass]:
    """The passes in a cookie; whatever else stands there is left out."""
    found = (_PASS.fullmatch(each) for each in text[:600].split("~")[:_MOST_PASSES])
    return [Pass(*each.groups()) for each in found if each]


def enter(student: Student, secret: str) -> None:
    """From now on this visitor is that student, in this browser."""
    held = Pass(student.code, student.student_id, secret)
    _keep([held, *(each for each in passes() if each.code != student.code)])


def choose(code: str) -> bool:
    """Make the class with this code the one that counts; False if this visitor has not joined it."""
    mine = [each for each in passes() if each.code == code]
    if not mine:
        return False
    if passes()[0] is not mine[0]:
        _keep([*mine, *(each for each in passes() if each.code != code)])
    return True


def leave(code: str) -> None:
    """Forget a class in this browser."""
    _keep([each for each in passes() if each.code != code])


def _keep(held: list[Pass]) -> None:
    st.session_state[_PASSES] = held[:_MOST_PASSES]
    st.session_state[_WRITE] = time.monotonic()
    st.session_state.pop(_MEMBER, None)


def write_cookie() -> None:
    """Draw what makes the browser keep the passes (assets/look/look.js); nothing where they have not changed."""
    if _WRITE in st.session_state:
        text = "~".join(str(each) for each in passes())
        st.html(f'<span class="ps-cookie" data-cookie="{html.escape(text)}"></span>')
