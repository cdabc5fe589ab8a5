"""The board of a class: who is where, what was predicted, how many answers are right.

Everything here is a function of the rows that the database holds, and nothing else is kept: a board that is drawn again, by
another server, from a backup, is the same board.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from core.cache import kept
from core.errors import CoreError
from core.lessons.asking import Answer, Ask, Choose, Mark, Number, Order
from core.lessons.base import LESSONS, Lesson, all_lessons, controls_of, evidence_of
from core.lessons.charts import Bars
from core.lessons.taken import Taken, decode
from core.library.library import Library
from core.seeding import stream
from core.store.class_rows import Room, Student, Taking
from core.store.classes import MOST_STUDENTS

if TYPE_CHECKING:
    from core.store import RunStore

_MOST_BARS = 12
_FEW = 3
_COUNT = "Students"
RIGHT = "✓"
"""Stands before an option that is right in the run that the lesson came with."""


@dataclass(frozen=True)
class Seat:
    """A student on the board.

    Attributes:
        name: the nickname, or "Student 17" on an anonymous board.
        lesson: label of the lesson that is open, "" for none.
        step: how far in it, as `Taken.step`.
        done: lessons taken to the end.
        right: lessons whose last answer is right; `tried`: lessons whose question was answered.
    """

    student_id: str
    name: str
    lesson: str
    step: str
    done: int
    right: int
    tried: int


@dataclass(frozen=True)
class LessonBoard:
    """A lesson on the board.

    Attributes:
        name, label: of the lesson.
        predicted: students who locked a prediction before the reveal.
        late: those who did after it; they are not in the distribution.
        revealed, locked: as the teacher set it.
        answered, right: students who answered the question, and whose last answer is right.
        distribution: of the predictions.
        truth: what the lesson's own run shows, in words; "" where it cannot be said.
    """

    name: str
    label: str
    predicted: int
    late: int
    revealed: bool
    locked: bool
    answered: int
    right: int
    distribution: Bars
    truth: str


@dataclass(frozen=True)
class Board:
    """What the teacher sees; students see it without what is not revealed.

    Attributes:
        version: of the class; nothing has changed while it is the same.
        seats: students who were not removed, in the order of joining, or by name where that is hidden.
        lessons: those somebody has begun, in their order.
    """

    version: int
    seats: tuple[Seat, ...] = ()
    lessons: tuple[LessonBoard, ...] = ()


@dataclass(frozen=True)
class Asked:
    """What a lesson asks before the reveal, and the right answer, of the run it came with.

    Attributes:
        controls: of its figure: name -> what a person reads.
    """

    ask: Ask
    truth: Answer
    controls: Mapping[str, str] = field(default_factory=dict)


def board_of(store: RunStore, code: str) -> Board:
    """The board as the database has it now.

    Raises:
        NotFound: there is no such class.
    """
    room = store.classes.get(code)
    return board(room, store.classes.students(room.code), store.classes.takings(room.code))


def board(
    room: Room,
    students: Sequence[Student],
    takings: Sequence[Taking],
    asked: Callable[[str], Asked | None] | None = None,
) -> Board:
    """The board of these rows.

    Args:
        room: the class.
        students: who has joined.
        takings: oldest first.
        asked: what a lesson asks, by name; of the runs that lessons came with if left out.
    """
    there = {each.student_id: each for each in students if not each.removed}
    mine: dict[tuple[str, str], list[Taking]] = {}
    for taking in takings:
        if taking.student_id in there:
            mine.setdefault((taking.student_id, taking.lesson), []).append(taking)
    now = {key: decode(rows[-1].taken) for key, rows in mine.items()}
    shown = names(room, students)
    labels = {each.name: each.label for each in all_lessons()}
    seats = [_seat(each, shown, now, labels) for each in there.values()]
    if room.rules.anonymous:
        seats.sort(key=lambda seat: (len(seat.name), seat.name))
    begun = [name for name in labels if any(lesson == name for _, lesson in mine)]
    states = [_lesson(name, labels[name], room, mine, now, asked or asked_of) for name in begun]
    return Board(room.version, tuple(seats), tuple(states))


def names(room: Room, students: Sequence[Student]) -> Mapping[str, str]:
    """Student's id -> what is shown: the nickname, or a number that does not tell the order of joining."""
    if not room.rules.anonymous:
        return {each.student_id: each.nickname for each in students}
    numbers = stream(room.seed, "names on an anonymous board").permutation(MOST_STUDENTS)
    return {each.student_id: f"Student {int(numbers[each.number - 1]) + 1}" for each in students}


def _seat(
    student: Student,
    shown: Mapping[str, str],
    now: Mapping[tuple[str, str], Taken],
    labels: Mapping[str, str],
) -> Seat:
    mine = {lesson: taken for (who, lesson), taken in now.items() if who == student.student_id}
    return Seat(
        student.student_id,
        shown[student.student_id],
        labels.get(student.lesson, ""),
        mine.get(student.lesson, Taken()).step if student.lesson in labels else "",
        done=sum(taken.step == "done" for taken in mine.values()),
        right=sum(taken.right for taken in mine.values()),
        tried=sum(bool(taken.answers) for taken in mine.values()),
    )


def _lesson(
    name: str,
    label: str,
    room: Room,
    mine: Mapping[tuple[str, str], list[Taking]],
    now: Mapping[tuple[str, str], Taken],
    asked: Callable[[str], Asked | None],
) -> LessonBoard:
    revealed = room.rules.revealed.get(name)
    first = [_first_prediction(rows) for (_, lesson), rows in mine.items() if lesson == name]
    counted = [p for at, p in filter(None, first) if revealed is None or at < revealed]
    states = [taken for (_, lesson), taken in now.items() if lesson == name]
    question = asked(name)
    return LessonBoard(
        name,
        label,
        predicted=len(counted),
        late=sum(each is not None for each in first) - len(counted),
        revealed=revealed is not None,
        locked=name in room.rules.locked,
        answered=sum(bool(taken.answers) for taken in states),
        right=sum(taken.right for taken in states),
        distribution=distribution(
            question.ask if question else None,
            counted,
            question.truth if question and revealed is not None else None,
        ),
        truth=_in_words(question) if question else "",
    )


def _in_words(question: Asked) -> str:
    """The truth, short: of many points their number."""
    if isinstance(question.ask, Mark) and isinstance(question.truth, tuple) and len(question.truth) > _FEW:
        return f"{len(question.truth)} points"
    return question.ask.words(question.truth)


def _first_prediction(rows: Sequence[Taking]) -> tuple[int, Answer] | None:
    """(ordinal, prediction) of the first one locked: who begins again has seen the answer."""
    for row in rows:
        prediction = decode(row.taken).prediction
        if prediction is not None:
            return row.ordinal, prediction
    return None


def asked_of(lesson: str) -> Asked | None:
    """What a lesson asks of the run it came with; None where it is not known."""
    return _asked(lesson) if lesson in LESSONS.names() else None


@kept(64, key=lambda lesson: lesson)
def _asked(lesson: str) -> Asked | None:
    made: Lesson[Any] = LESSONS.create(lesson)
    try:
        evidence = evidence_of(made, Library())
    except CoreError:
        return None
    at = controls_of(made, evidence, {})
    controls = {name: ask.text for name, ask in made.controls(evidence).items()}
    return Asked(made.prediction(evidence, at), made.truth(evidence, at), controls)


def distribution(ask: Ask | None, answers: Sequence[Answer], truth: Answer | None = None) -> Bars:
    """How a class answered, as bars; what does not fit the question (a run of one's own may ask of other nets) is "other".

    Args:
        ask: what was asked; None if that is not known.
        answers: one per student.
        truth: options that are right get a check mark; None before the reveal.
    """
    if isinstance(ask, Choose):
        return _bars(_checked(ask.options, truth), Counter(str(each) for each in answers))
    if isinstance(ask, Number):
        return _of_numbers(ask, [float(each) for each in answers if isinstance(each, int | float)])
    sequences = [each for each in answers if isinstance(each, tuple)]
    if isinstance(ask, Mark):
        counts = Counter(key for each in sequences for key in each)
        most = [key for key, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
        options = _checked(ask.options, truth)
        named = {key: options[key] for key in most if key in options}
        return _bars(dict(list(named.items())[:_MOST_BARS]), counts, rest="" if named else "other")
    if isinstance(ask, Order):
        return _of_orders(ask, [each for each in sequences if set(each) == set(ask.options)])
    counts = Counter(str(each) for each in answers)
    return _bars({key: key for key, _ in counts.most_common(_MOST_BARS)}, counts)


def _checked(options: Mapping[str, str], truth: Answer | None) -> Mapping[str, str]:
    right = truth if isinstance(truth, tuple) else (truth,)
    return {key: f"{RIGHT} {label}" if key in right else label for key, label in options.items()}


def _bars(options: Mapping[str, str], counts: Mapping[str, int], rest: str = "other") -> Bars:
    labels, values = list(options.values()), [float(counts.get(key, 0)) for key in options]
    others = sum(count for key, count in counts.items() if key not in options)
    if others and rest:
        labels, values = [*labels, rest], [*values, float(others)]
    said = ", ".join(f"{label}: {value:.0f}" for label, value in zip(labels, values, strict=True) if value)
    return Bars(
        y_title=_COUNT,
        names=tuple(labels),
        series={_COUNT: tuple(values)},
        says=f"Predictions of the class. {said or 'None yet'}.",
    )


def _of_numbers(ask: Number, answers: Sequence[float]) -> Bars:
    """One bar per value where there are few, else ten equal intervals; the last holds its upper end."""
    values = round((ask.high - ask.low) / ask.step) + 1
    if values <= _MOST_BARS:
        at = [ask.low + ask.step * n for n in range(values)]
        places = [min(range(values), key=lambda n: abs(at[n] - each)) for each in answers]
        labels = [ask.words(each) for each in at]
    else:
        edges = np.linspace(ask.low, ask.high, 11)
        places = [min(9, max(0, int(np.searchsorted(edges, each, side="right")) - 1)) for each in answers]
        labels = [f"{ask.words(float(a))} to {ask.words(float(b))}" for a, b in pairwise(edges)]
    counts = Counter(str(place) for place in places)
    return _bars({str(n): label for n, label in enumerate(labels)}, counts)


def _of_orders(ask: Order, answers: Sequence[tuple[str, ...]]) -> Bars:
    """The mean place that each item got, 1 for the first."""
    places = [
        float(np.mean([each.index(key) + 1 for each in answers])) if answers else math.nan
        for key in ask.options
    ]
    labels = tuple(ask.options.values())
    said = ", ".join(f"{label}: {place:.1f}" for label, place in zip(labels, places, strict=True))
    return Bars(
        y_title="Mean place given",
        names=labels,
        series={"Mean place": tuple(places)},
        says=f"Mean places that the class gave. {said}." if answers else "No prediction yet.",
    )
