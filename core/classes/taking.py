"""What a student does in a lesson of a class: each step is checked against what was done and what the teacher has set.

The check and the new row are one transaction of the database, so that two tabs of one student cannot lock two predictions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from core.errors import InvalidInput
from core.lessons.asking import Answer
from core.lessons.taken import Taken, decode
from core.seeding import stream
from core.store.class_rows import Room, Rules, Student, Taking
from core.store.classes import Classes

LOCKED_ALREADY = "Your prediction is locked already; it stays as it is."
PREDICT_FIRST = "Lock a prediction first."
_MOST_ANSWERS = 20


def latest(takings: list[Taking]) -> Mapping[str, Taken]:
    """Lesson -> what counts of one student's rows, oldest first; a lesson that was begun again and not touched is not in it."""
    last = {taking.lesson: taking for taking in takings}
    found = {lesson: decode(taking.taken) for lesson, taking in last.items()}
    return {lesson: taken for lesson, taken in found.items() if taken != Taken()}


def own_seed(room: Room, student: Student) -> int:
    """The seed a student begins own runs with: thirty students get thirty runs, and the board no single story."""
    return int(stream(room.seed, "seed of a student", student.student_id).integers(1, 10_000))


def why_not_reveal(rules: Rules, lesson: str) -> str:
    """Why the truth of a lesson may not be seen yet, a sentence; "" if it may."""
    if rules.waits and lesson not in rules.revealed:
        return "Your teacher reveals the answer to the whole class; it comes by itself."
    return ""


def lock(classes: Classes, student: Student, lesson: str, prediction: Answer, *, evidence: str) -> None:
    """Keep a prediction for good.

    Raises:
        InvalidInput: one is locked already, predictions are closed, or the class is over.
    """

    def change(before: str, rules: Rules) -> tuple[str, bool]:
        taken = decode(before)
        if taken.prediction is not None:
            raise InvalidInput(LOCKED_ALREADY)
        if lesson in rules.locked:
            raise InvalidInput("Your teacher has closed the predictions of this lesson.")
        return replace(taken, prediction=prediction).encode(), False

    classes.take(student, lesson, evidence, change)


def reveal(classes: Classes, student: Student, lesson: str) -> None:
    """Keep that the truth was looked at.

    Raises:
        InvalidInput: nothing is predicted, or the class waits for the teacher.
    """

    def change(before: str, rules: Rules) -> tuple[str, bool]:
        taken = decode(before)
        if taken.prediction is None:
            raise InvalidInput(PREDICT_FIRST)
        if why_not := why_not_reveal(rules, lesson):
            raise InvalidInput(why_not)
        return replace(taken, revealed=True).encode(), False

    classes.take(student, lesson, "", change)


def answered(classes: Classes, student: Student, lesson: str, answer: Answer, *, right: bool) -> None:
    """Keep an answer to the closing question.

    Raises:
        InvalidInput: the truth was not looked at yet, or there were too many answers.
    """

    def change(before: str, rules: Rules) -> tuple[str, bool]:
        taken = decode(before)
        if not taken.revealed:
            raise InvalidInput("Look at the answer to the prediction first.")
        if len(taken.answers) >= _MOST_ANSWERS:
            raise InvalidInput("You have answered this question often enough; begin the lesson again.")
        return replace(taken, answers=(*taken.answers, answer), right=right).encode(), False

    classes.take(student, lesson, "", change)


def reset(classes: Classes, student: Student, lesson: str) -> None:
    """Begin a lesson again; what was done stays in the class's record, and the board counts the first prediction.

    Raises:
        InvalidInput: the class is over.
    """

    def change(before: str, rules: Rules) -> tuple[str, bool]:
        return Taken().encode(), True

    classes.take(student, lesson, "", change)
