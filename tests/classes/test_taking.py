"""What a student may do in a lesson of a class, and when."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.classes import taking
from core.errors import InvalidInput
from core.lessons.taken import Taken
from core.store import RunStore
from core.store.class_rows import Student
from core.store.classes import Classes

LESSON = "dominance"


@pytest.fixture
def classes(tmp_path: Path) -> Iterator[Classes]:
    with RunStore("sqlite://", tmp_path) as store:
        yield store.classes


@pytest.fixture
def student(classes: Classes) -> Student:
    room, _ = classes.create()
    return classes.join(room.code, "Ada")[0]


def done(classes: Classes, student: Student) -> Taken:
    found = taking.latest(classes.takings(student.code, student.student_id))
    return found.get(LESSON, Taken())


def set_rules(classes: Classes, student: Student, **rules: object) -> None:
    classes.set_rules(student.code, lambda old, at: old.model_copy(update=rules))


def test_one_step_after_the_other(classes: Classes, student: Student) -> None:
    for early in (
        lambda: taking.reveal(classes, student, LESSON),
        lambda: taking.answered(classes, student, LESSON, 3.0, right=True),
    ):
        with pytest.raises(InvalidInput):
            early()
    taking.lock(classes, student, LESSON, ("a", "b"), evidence="digits-lesson:0")
    with pytest.raises(InvalidInput, match="locked already"):
        taking.lock(classes, student, LESSON, ("c",), evidence="digits-lesson:0")
    with pytest.raises(InvalidInput, match="whole class"):
        taking.reveal(classes, student, LESSON)
    with pytest.raises(InvalidInput, match="Look at"):
        taking.answered(classes, student, LESSON, 3.0, right=True)
    set_rules(classes, student, revealed={LESSON: 7})
    taking.reveal(classes, student, LESSON)
    taking.answered(classes, student, LESSON, 3.0, right=False)
    taking.answered(classes, student, LESSON, 4.0, right=True)
    assert done(classes, student) == Taken(("a", "b"), True, (3.0, 4.0), True)
    assert {row.evidence for row in classes.takings(student.code)} == {"digits-lesson:0"}


def test_a_class_that_does_not_wait_reveals_at_once_and_a_locked_lesson_takes_no_prediction(
    classes: Classes, student: Student
) -> None:
    set_rules(classes, student, waits=False, locked=("other",))
    assert taking.why_not_reveal(classes.get(student.code).rules, LESSON) == ""
    taking.lock(classes, student, LESSON, 1.0, evidence="")
    taking.reveal(classes, student, LESSON)
    with pytest.raises(InvalidInput, match="closed"):
        taking.lock(classes, student, "other", 1.0, evidence="")
    assert list(taking.latest(classes.takings(student.code))) == [LESSON]


def test_beginning_again_keeps_what_was_done(classes: Classes, student: Student) -> None:
    set_rules(classes, student, waits=False)
    taking.lock(classes, student, LESSON, 1.0, evidence="")
    taking.reset(classes, student, LESSON)
    assert done(classes, student) == Taken()
    assert [row.reset for row in classes.takings(student.code)] == [False, True]
    taking.lock(classes, student, LESSON, 2.0, evidence="")
    assert done(classes, student).prediction == 2.0


def test_two_tabs_lock_one_prediction(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'p.db'}"
    with RunStore(url, tmp_path) as first, RunStore(url, tmp_path) as second:
        room, _ = first.classes.create()
        student, _ = first.classes.join(room.code, "Ada")
        refused = []

        def lock(store: RunStore, prediction: float) -> None:
            try:
                taking.lock(store.classes, student, LESSON, prediction, evidence="")
            except InvalidInput as error:
                refused.append(str(error))

        tabs = [threading.Thread(target=lock, args=each) for each in ((first, 1.0), (second, 2.0)) * 3]
        for tab in tabs:
            tab.start()
        for tab in tabs:
            tab.join()
        assert len(refused) == 5
        assert len(first.classes.takings(room.code)) == 1
