"""The board: a function of the rows alone; distributions by kind of question; anonymous and removed students."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from core.classes import ruling, taking
from core.classes.board import Asked, Board, asked_of, board, board_of, distribution, names
from core.lessons.asking import Answer, Choose, Mark, Number, Order
from core.lessons.base import LESSONS
from core.store import RunStore
from core.store.class_rows import Student

LESSON = "dominance"


def class_of(store: RunStore, *nicknames: str, **rules: object) -> list[Student]:
    room, _ = store.classes.create()
    store.classes.set_rules(room.code, lambda old, at: old.model_copy(update=rules))
    return [store.classes.join(room.code, name)[0] for name in nicknames]


def lock(store: RunStore, student: Student, prediction: Answer, lesson: str = LESSON) -> None:
    taking.lock(store.classes, student, lesson, prediction, evidence="")


def asked(lesson: str) -> Asked:
    return Asked(Choose("?", {"a": "Small", "b": "Large"}), "b")


def seen(store: RunStore, code: str) -> Board:
    return board(store.classes.get(code), store.classes.students(code), store.classes.takings(code), asked)


def test_who_is_where_and_what_was_predicted(store: RunStore) -> None:
    ada, bob, eve, _ = class_of(store, "Ada", "Bob", "Eve", "Zoe", waits=False)
    for student, prediction in ((ada, "a"), (bob, "b"), (eve, "b")):
        lock(store, student, prediction)
    taking.reveal(store.classes, ada, LESSON)
    taking.answered(store.classes, ada, LESSON, 1.0, right=False)
    taking.answered(store.classes, ada, LESSON, 2.0, right=True)
    store.classes.at(bob, "")
    found = seen(store, ada.code)
    label = LESSONS.create(LESSON).label
    assert [(s.name, s.lesson, s.step, s.done, s.right, s.tried) for s in found.seats] == [
        ("Ada", label, "done", 1, 1, 1),
        ("Bob", "", "", 0, 0, 0),
        ("Eve", label, "predicted", 0, 0, 0),
        ("Zoe", "", "", 0, 0, 0),
    ]
    [lesson] = found.lessons
    assert (lesson.predicted, lesson.late, lesson.answered, lesson.right) == (3, 0, 1, 1)
    assert lesson.distribution.names == ("Small", "Large")
    assert list(lesson.distribution.series.values()) == [(1.0, 2.0)]
    assert lesson.truth == "Large"


def test_the_board_of_a_restored_database_is_the_same(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'p.db'}"
    with RunStore(url, tmp_path) as store:
        ada, bob = class_of(store, "Ada", "Bob", waits=False)
        keys = sorted(asked_of(LESSON).ask.options)  # type: ignore[union-attr]
        lock(store, ada, tuple(keys[:3]))
        lock(store, bob, (keys[0],))
        before = board_of(store, ada.code)
        assert before.lessons[0].predicted == 2
    with RunStore(url, tmp_path) as again:
        assert board_of(again, ada.code) == before


def test_predictions_after_the_reveal_and_second_ones_do_not_count(store: RunStore) -> None:
    ada, bob = class_of(store, "Ada", "Bob")
    lock(store, ada, "a")
    store.classes.set_rules(ada.code, lambda rules, at: ruling.reveal(rules, LESSON, at))
    store.classes.set_rules(ada.code, lambda rules, at: ruling.reveal(rules, LESSON, at))  # a second click
    lock(store, bob, "b")
    taking.reveal(store.classes, ada, LESSON)
    taking.reset(store.classes, ada, LESSON)
    lock(store, ada, "b")
    [lesson] = seen(store, ada.code).lessons
    assert (lesson.predicted, lesson.late, lesson.revealed) == (1, 1, True)
    assert list(lesson.distribution.series.values()) == [(1.0, 0.0)]
    store.classes.set_rules(ada.code, lambda rules, at: ruling.unreveal(rules, LESSON))
    store.classes.set_rules(ada.code, lambda rules, at: ruling.close(rules, LESSON, True))
    [lesson] = seen(store, ada.code).lessons
    assert (lesson.revealed, lesson.locked) == (False, True)


def test_a_removed_student_is_nowhere_on_it_and_comes_back_whole(store: RunStore) -> None:
    ada, bob = class_of(store, "Ada", "Bob")
    lock(store, ada, "a")
    lock(store, bob, "b")
    before = seen(store, ada.code)
    store.classes.remove(ada.code, ada.student_id)
    found = seen(store, ada.code)
    assert "Ada" not in repr(found)
    assert ada.student_id not in repr(found)
    assert found.lessons[0].predicted == 1
    store.classes.remove(ada.code, ada.student_id, removed=False)
    after = seen(store, ada.code)
    assert (after.seats, after.lessons) == (before.seats, before.lessons)


def test_an_anonymous_board_names_nobody_and_not_the_order_of_joining(store: RunStore) -> None:
    students = class_of(store, *(f"Pupil{n:02}" for n in range(12)), anonymous=True)
    found = seen(store, students[0].code)
    assert "Pupil" not in repr(found)
    shown = [seat.name for seat in found.seats]
    assert len(set(shown)) == 12
    joined = [names(store.classes.get(students[0].code), students)[each.student_id] for each in students]
    assert joined != shown
    store.classes.join(students[0].code, "Late")
    assert set(shown) < {seat.name for seat in seen(store, students[0].code).seats}, "names stay"


@pytest.mark.parametrize(
    ("ask", "answers", "names_", "values"),
    [
        (Choose("?", {"a": "A", "b": "B"}), ["a", "a", "gone"], ("A", "B", "other"), (2, 0, 1)),
        (Number("?", low=0, high=3), [0.0, 3.0, 3.0], ("0", "1", "2", "3"), (1, 0, 0, 2)),
        (Mark("?", {"x": "X", "y": "Y", "z": "Z"}), [("y", "x"), ("y",)], ("Y", "X"), (2, 1)),
        (Order("?", {"p": "P", "q": "Q"}), [("p", "q"), ("q", "p"), ("q", "p")], ("P", "Q"), (5 / 3, 4 / 3)),
        (None, [("x", "y"), ("x", "y"), 3.0], ("('x', 'y')", "3.0"), (2, 1)),
    ],
)
def test_every_kind_of_question_has_a_distribution(
    ask: object, answers: list[Answer], names_: tuple[str, ...], values: tuple[float, ...]
) -> None:
    bars = distribution(ask, answers)  # type: ignore[arg-type]
    assert bars.names == names_
    assert next(iter(bars.series.values())) == pytest.approx(values)
    assert bars.says


def test_many_numbers_are_put_into_ten_intervals_and_none_is_lost() -> None:
    ask = Number("?", low=0, high=100, step=0.5, unit="%")
    answers = [n / 2 for n in range(201)]
    [values] = distribution(ask, answers).series.values()
    assert sum(values) == 201
    assert values[9] == 21  # the last interval holds its upper end
    for kind in (ask, Order("?", {"p": "P"}), Mark("?", {"p": "P"}), Choose("?", {"p": "P"}), None):
        nothing = distribution(kind, [])
        assert all(value == 0 or math.isnan(value) for value in next(iter(nothing.series.values())))


def test_every_lesson_has_a_question_for_the_board() -> None:
    for name in LESSONS.names():
        found = asked_of(name)
        assert found is not None
        given = found.ask.read(json.loads(json.dumps(found.truth)))
        assert given is not None
        assert distribution(found.ask, [given]).names
    assert asked_of("../etc") is None
