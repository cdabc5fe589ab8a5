"""Where what somebody has done in the lessons is kept: in the address, or in the class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from core.lessons.asking import Answer
from core.lessons.taken import Taken


class Record(Protocol):
    """What one person has done."""

    def all(self) -> Mapping[str, Taken]:
        """By lesson's name; a lesson that was not begun is not in it."""

    def lock(self, lesson: str, prediction: Answer, *, run: str) -> None:
        """Keep a prediction for good; `run` says of which evidence (supernet's or run's id, and the seed).

        Raises:
            InvalidInput: it is locked already, or the class is closed.
        """

    def why_not_reveal(self, lesson: str) -> str:
        """Why the truth may not be seen yet, a sentence; "" if it may."""

    def reveal(self, lesson: str) -> None:
        """Say that the truth was looked at."""

    def answered(self, lesson: str, answer: Answer, *, right: bool) -> None:
        """Keep an answer to the closing question."""

    def reset(self, lesson: str) -> None:
        """Begin this lesson again; what was kept of it stays in a class's record, marked."""
