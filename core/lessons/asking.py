"""What a lesson asks, and answers as JSON: a choice, a number, some of the points, an order.

The same four kinds serve a prediction before the reveal, a question after it, and the controls of a figure, so a page
draws each of them in one way, a class's board shows each of them as one distribution, and a lesson checks none itself.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from pydantic import JsonValue

Answer: TypeAlias = str | float | tuple[str, ...]
"""An option's key; a number; keys of points or items, in order where the order counts."""

_MOST_KEYS = 200
_LONGEST_KEY = 80


@dataclass(frozen=True)
class Ask(ABC):
    """Something a person answers.

    Attributes:
        text: the question, one or two sentences.
    """

    text: str

    @abstractmethod
    def read(self, given: JsonValue) -> Answer | None:
        """A stranger's JSON as an answer; None where it is none."""

    @abstractmethod
    def right(self, given: Answer, truth: Answer) -> bool:
        """Whether an answer is right; never raises for an answer that `read` returned."""

    @abstractmethod
    def words(self, answer: Answer) -> str:
        """An answer as a person reads it."""


@dataclass(frozen=True)
class Choose(Ask):
    """One of several options.

    Attributes:
        options: key -> label, in the order they are shown.
        start: the option that stands there first, for a control; a question has none.
    """

    options: Mapping[str, str] = field(default_factory=dict)
    start: str | None = None

    def read(self, given: JsonValue) -> str | None:
        return given if isinstance(given, str) and given in self.options else None

    def right(self, given: Answer, truth: Answer) -> bool:
        return given == truth

    def words(self, answer: Answer) -> str:
        return self.options.get(str(answer), str(answer))


@dataclass(frozen=True)
class Number(Ask):
    """A number within bounds.

    Attributes:
        low, high, step: of the slider or the field, in the unit shown.
        unit: "" for a count.
        tolerance: a difference from the truth that is still right, in the same unit; declared per question.
        start: where a slider stands first.
    """

    low: float = 0.0
    high: float = 100.0
    step: float = 1.0
    unit: str = ""
    tolerance: float = 0.0
    start: float | None = None

    def read(self, given: JsonValue) -> float | None:
        if isinstance(given, bool) or not isinstance(given, int | float):
            return None
        value = float(given)
        return value if math.isfinite(value) and self.low <= value <= self.high else None

    def right(self, given: Answer, truth: Answer) -> bool:
        # A hair more than the tolerance: 0.1 + 0.2 is not wrong.
        return (
            isinstance(given, int | float)
            and isinstance(truth, int | float)
            and abs(given - truth) <= self.tolerance * (1 + 1e-9) + 1e-12
        )

    def words(self, answer: Answer) -> str:
        assert isinstance(answer, int | float)
        digits = (
            0 if self.step >= 1 and float(answer).is_integer() else max(0, -math.floor(math.log10(self.step)))
        )
        return f"{answer:,.{digits}f} {self.unit}".rstrip()


@dataclass(frozen=True)
class Mark(Ask):
    """Some of the figure's points, in any order.

    Attributes:
        options: key of a point -> label, for those who use the keyboard.
        least, most: how many may be marked.
    """

    options: Mapping[str, str] = field(default_factory=dict)
    least: int = 1
    most: int = _MOST_KEYS

    def read(self, given: JsonValue) -> tuple[str, ...] | None:
        keys = _keys(given, self.options)
        return keys if keys is not None and self.least <= len(keys) <= self.most else None

    def right(self, given: Answer, truth: Answer) -> bool:
        return set(_sequence(given)) == set(_sequence(truth))

    def words(self, answer: Answer) -> str:
        return ", ".join(self.options.get(key, key) for key in _sequence(answer))


@dataclass(frozen=True)
class Order(Ask):
    """All items of a list, put in order.

    Attributes:
        options: key of an item -> label, as they are shown first.
    """

    options: Mapping[str, str] = field(default_factory=dict)

    def read(self, given: JsonValue) -> tuple[str, ...] | None:
        keys = _keys(given, self.options)
        return keys if keys is not None and len(keys) == len(self.options) else None

    def right(self, given: Answer, truth: Answer) -> bool:
        return _sequence(given) == _sequence(truth)

    def words(self, answer: Answer) -> str:
        return " < ".join(self.options.get(key, key) for key in _sequence(answer))


def _keys(given: JsonValue, options: Mapping[str, str]) -> tuple[str, ...] | None:
    """Different keys of the options; None for anything else."""
    if not isinstance(given, list | tuple) or len(given) > min(_MOST_KEYS, len(options)):
        return None
    keys = tuple(key for key in given if isinstance(key, str) and len(key) <= _LONGEST_KEY and key in options)
    return keys if len(keys) == len(given) == len(set(keys)) else None


def _sequence(answer: Answer) -> tuple[str, ...]:
    return answer if isinstance(answer, tuple) else ()


def overlap(given: Sequence[str], truth: Sequence[str]) -> tuple[float, float]:
    """(precision, recall) of marked points; the precision of nothing is 1, so is the recall of an empty truth."""
    both = sum((Counter(set(given)) & Counter(set(truth))).values())
    return (both / len(set(given)) if given else 1.0), (both / len(set(truth)) if truth else 1.0)
