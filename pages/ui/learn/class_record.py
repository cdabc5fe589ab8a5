"""What a student has done, kept in the class: the teacher's board counts it, and the reveal waits for the teacher."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from core.classes import taking
from core.lessons.asking import Answer
from core.lessons.taken import Taken
from core.store.classes import Classes
from pages.ui.classroom.member import Member
from pages.ui.home_store import home_store

_DONE = "class-taken"


class ClassRecord:
    """The record of one student (see `pages.ui.learn.record.Record`)."""

    def __init__(self, member: Member) -> None:
        """Of this student, as the class is now."""
        self._student, self._rules = member.student, member.rules

    def all(self) -> Mapping[str, Taken]:
        """By lesson's name; read again only after something has changed in the class."""
        at = (self._student.student_id, self._classes.versions(self._student.code)[0])
        known: tuple[tuple[str, int], Mapping[str, Taken]] | None = st.session_state.get(_DONE)
        if known is None or known[0] != at:
            rows = self._classes.takings(self._student.code, self._student.student_id)
            known = st.session_state[_DONE] = (at, taking.latest(rows))
        return known[1]

    def lock(self, lesson: str, prediction: Answer, *, run: str) -> None:
        """As `Record.lock`."""
        taking.lock(self._classes, self._student, lesson, prediction, evidence=run)

    def why_not_reveal(self, lesson: str) -> str:
        """As `Record.why_not_reveal`."""
        return taking.why_not_reveal(self._rules, lesson)

    def reveal(self, lesson: str) -> None:
        """As `Record.reveal`."""
        taking.reveal(self._classes, self._student, lesson)

    def answered(self, lesson: str, answer: Answer, *, right: bool) -> None:
        """As `Record.answered`."""
        taking.answered(self._classes, self._student, lesson, answer, right=right)

    def reset(self, lesson: str) -> None:
        """As `Record.reset`."""
        taking.reset(self._classes, self._student, lesson)

    def opened(self, lesson: str) -> None:
        """Say to the board that this lesson is open now."""
        self._classes.at(self._student, lesson)

    @property
    def _classes(self) -> Classes:
        return home_store().classes
