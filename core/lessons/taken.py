"""What one person has done in a lesson, as kept in a link or in a class."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from core.lessons.asking import Answer

_MOST_ANSWERS = 20


@dataclass(frozen=True)
class Taken:
    """How far somebody is in one lesson.

    Attributes:
        prediction: what was locked; None before.
        revealed: whether the truth was looked at; only after a prediction was locked.
        answers: to the closing question, oldest first.
        right: whether the last of them is right.
    """

    prediction: Answer | None = None
    revealed: bool = False
    answers: tuple[Answer, ...] = ()
    right: bool = False

    @property
    def step(self) -> str:
        """ "open", "predicted", "revealed", "answered" or "done"."""
        if self.right:
            return "done"
        if self.answers:
            return "answered"
        return "revealed" if self.revealed else "predicted" if self.prediction is not None else "open"

    def encode(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))


def decode(text: str) -> Taken:
    """From `encode`; whatever does not fit is as if nothing was done."""
    try:
        found = json.loads(text)
    except ValueError:
        return Taken()
    if not isinstance(found, dict):
        return Taken()
    prediction, answers = _answer(found.get("prediction")), found.get("answers")
    kept = [_answer(each) for each in answers[:_MOST_ANSWERS]] if isinstance(answers, list) else []
    given = tuple(each for each in kept if each is not None)
    revealed = prediction is not None and found.get("revealed") is True
    return Taken(prediction, revealed, given, bool(given) and found.get("right") is True)


def _answer(found: Any) -> Answer | None:
    if isinstance(found, bool):
        return None
    if isinstance(found, list):
        return tuple(found) if all(isinstance(each, str) for each in found) else None
    if isinstance(found, int | float):
        return float(found)
    return found if isinstance(found, str) else None
