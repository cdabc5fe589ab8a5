"""What somebody without a class has done: kept by the session, and in the address of the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import streamlit as st

from core.errors import InvalidInput
from core.lessons.asking import Answer
from core.lessons.taken import Taken

_KEY = "learn-taken"
_MOST_ANSWERS = 20


class LinkRecord:
    """A `Record` of one visitor; no account, no cookie: whoever keeps the link keeps what was done."""

    def all(self) -> Mapping[str, Taken]:
        found: dict[str, Taken] = st.session_state.setdefault(_KEY, {})
        return found

    def of(self, lesson: str) -> Taken:
        """What was done in a lesson."""
        return self.all().get(lesson, Taken())

    def lock(self, lesson: str, prediction: Answer, *, run: str) -> None:
        """Keep a prediction.

        Raises:
            InvalidInput: it is locked already.
        """
        if self.of(lesson).prediction is not None:
            raise InvalidInput("Your prediction is locked already.")
        self._write(lesson, Taken(prediction))

    def why_not_reveal(self, lesson: str) -> str:
        return "" if self.of(lesson).prediction is not None else "Lock your prediction first."

    def reveal(self, lesson: str) -> None:
        if not self.why_not_reveal(lesson):
            self._write(lesson, replace(self.of(lesson), revealed=True))

    def answered(self, lesson: str, answer: Answer, *, right: bool) -> None:
        taken = self.of(lesson)
        answers = (*taken.answers, answer)[-_MOST_ANSWERS:]
        self._write(lesson, replace(taken, answers=answers, right=right))

    def reset(self, lesson: str) -> None:
        self._write(lesson, Taken())

    def put(self, lesson: str, taken: Taken) -> None:
        """What a link, Back or Forward says."""
        self._write(lesson, taken)

    def _write(self, lesson: str, taken: Taken) -> None:
        kept = {name: each for name, each in self.all().items() if name != lesson}
        st.session_state[_KEY] = kept if taken == Taken() else {**kept, lesson: taken}


def finished(taken: Mapping[str, Taken]) -> tuple[str, ...]:
    """Lessons whose question was answered rightly."""
    return tuple(sorted(name for name, each in taken.items() if each.right))
