"""Classes: who leads, who is in, what was done; kept over a restart, changed by several at once, told apart from strangers."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, update

from core.errors import CoreError, InvalidInput, NotFound
from core.store import RunStore
from core.store.class_rows import LETTERS, Rules, Student, checked_nickname, nickname_key, read_code
from core.store.classes import Classes
from core.store.schema import ClassRow, StudentRow, TakingRow
from tests.store.databases import DATABASES, open_store


@pytest.fixture(params=DATABASES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunStore]:
    with open_store(request.param, tmp_path) as opened:
        yield opened


def add(classes: Classes, student: Student, text: str, lesson: str = "dominance") -> None:
    classes.take(student, lesson, "digits-lesson:0", lambda before, rules: (before + text, False))


def test_a_class_is_there_after_a_restart(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'p.db'}"
    with RunStore(url, tmp_path) as first:
        room, teacher = first.classes.create()
        ada, secret = first.classes.join(room.code, "Ada")
        add(first.classes, ada, "a")
        first.classes.set_rules(room.code, lambda rules, at: rules.model_copy(update={"revealed": {"x": at}}))
    with RunStore(url, tmp_path) as again:
        kept = again.classes.get(room.code)
        assert again.classes.is_teacher(room.code, teacher)
        assert again.classes.student(ada.student_id, secret) is not None
        assert (kept.seed, kept.version, kept.rules.revealed) == (room.seed, 4, {"x": 4})
        assert [(t.ordinal, t.taken, t.evidence) for t in again.classes.takings(room.code)] == [
            (3, "a", "digits-lesson:0")
        ]
        assert again.check() == []


def test_codes_are_read_as_people_type_them_and_have_no_look_alikes(store: RunStore) -> None:
    room, _ = store.classes.create()
    assert len(room.code) == 6
    assert not set(LETTERS) & set("0O1IL8B5S2ZV")
    assert store.classes.get(f" {room.code[:3].lower()}-{room.code[3:].lower()} ") == room
    for hostile in (
        "",
        "AAAAAA",
        "ABC",
        "A" * 10_000,
        "' OR 1=1 --",
        "\x00\x00\x00\x00\x00\x00",
        "ＡＡＡＡＡＡ",
        "AAAAA\ud800",
    ):
        if read_code(hostile) != room.code:
            with pytest.raises(NotFound):
                store.classes.get(hostile)
            assert store.classes.versions(hostile[:9].replace("\x00", "").replace("\ud800", "")) == (0, 0)
            with pytest.raises(CoreError):
                store.classes.join(hostile, "Eve")


def test_secrets_are_kept_as_hashes_and_a_lost_one_is_replaced(store: RunStore) -> None:
    room, teacher = store.classes.create()
    ada, secret = store.classes.join(room.code, "Ada")
    with store._database.read() as connection:
        rows = [
            dict(row)
            for table in (ClassRow, StudentRow)
            for row in connection.execute(select(table.__table__)).mappings()
        ]
    assert teacher not in repr(rows)
    assert secret not in repr(rows)
    assert rows[0]["secret_sha256"] == hashlib.sha256(teacher.encode()).hexdigest()
    for wrong in ("", teacher[:-1], secret, "\ud800", rows[0]["secret_sha256"]):
        assert not store.classes.is_teacher(room.code, wrong)
        assert store.classes.student(ada.student_id, wrong if wrong != secret else "x") is None
    assert not store.classes.is_teacher("AAAAAA", teacher)
    before = store.classes.versions(room.code)
    new = store.classes.new_secret(room.code)
    assert not store.classes.is_teacher(room.code, teacher)
    assert store.classes.is_teacher(room.code, new)
    assert store.classes.versions(room.code) == (before[0] + 1, before[1] + 1)


def test_nicknames_are_one_line_and_differ(store: RunStore) -> None:
    room, _ = store.classes.create()
    other, _ = store.classes.create()
    ada, _ = store.classes.join(room.code, "  Ada \n Lovelace ")
    assert ada.nickname == "Ada Lovelace"
    for same in (
        "ada lovelace",
        "ADA\u00a0LOVELACE",
        "Ada\u3000Love\u200blace",
        "Ａｄａ Lovelace",
        "Ada \u3164 Lovelace",
    ):
        with pytest.raises(InvalidInput, match="choose another"):
            store.classes.join(room.code, same)
    store.classes.join(other.code, "Ada Lovelace")  # another class is another room
    for none in ("", " ", "\u3164\u2800", "\u200b", "\u0301", "x" * 25, "a\u0301\u0302\u0303\u0304\u0305"):
        with pytest.raises(InvalidInput):
            store.classes.join(room.code, none)
    store.classes.join(room.code, "ﷺ" * 24)  # grows eighteenfold when it is folded
    store.classes.join(room.code, "=1+1<b>|*_$")
    assert nickname_key("Straße") == nickname_key("STRASSE")
    assert checked_nickname("e\u0301") == "é"


def test_rows_are_added_in_the_order_of_the_class_and_counted(store: RunStore) -> None:
    room, _ = store.classes.create()
    ada, _ = store.classes.join(room.code, "Ada")
    bob, _ = store.classes.join(room.code, "Bob")
    for student, text in ((ada, "1"), (bob, "2"), (ada, "3")):
        add(store.classes, student, text)
    rows = store.classes.takings(room.code)
    assert [(t.student_id, t.taken) for t in rows] == [
        (ada.student_id, "1"),
        (bob.student_id, "2"),
        (ada.student_id, "13"),
    ]
    assert [t.ordinal for t in rows] == sorted({t.ordinal for t in rows})
    assert store.classes.takings(room.code, bob.student_id) == [rows[1]]
    assert store.classes.versions(room.code) == (rows[-1].ordinal, 1)


def test_what_a_change_refuses_changes_nothing(store: RunStore) -> None:
    room, _ = store.classes.create()
    ada, _ = store.classes.join(room.code, "Ada")

    def refuse(before: str, rules: Rules) -> tuple[str, bool]:
        raise InvalidInput("no")

    before = store.classes.get(room.code)
    with pytest.raises(InvalidInput):
        store.classes.take(ada, "x", "", refuse)
    assert store.classes.get(room.code) == before
    assert store.classes.takings(room.code) == []


def test_a_removed_student_and_an_ended_class_change_nothing_more(store: RunStore) -> None:
    room, _ = store.classes.create()
    ada, secret = store.classes.join(room.code, "Ada")
    add(store.classes, ada, "1")
    store.classes.remove(room.code, ada.student_id)
    assert store.classes.student(ada.student_id, secret) is None
    with pytest.raises(InvalidInput, match="removed"):
        add(store.classes, ada, "2")
    with pytest.raises(InvalidInput, match="nickname"):  # it can be undone, so the name is not free
        store.classes.join(room.code, "ada")
    store.classes.remove(room.code, ada.student_id, removed=False)
    add(store.classes, ada, "3")
    other, _ = store.classes.create()
    with pytest.raises(NotFound):
        store.classes.remove(other.code, ada.student_id)
    store.classes.set_rules(room.code, lambda rules, at: rules.model_copy(update={"ended": True}))
    with pytest.raises(InvalidInput, match="over"):
        add(store.classes, ada, "4")
    with pytest.raises(InvalidInput, match="over"):
        store.classes.join(room.code, "Bob")
    assert [t.taken for t in store.classes.takings(room.code)] == ["1", "13"]


def test_two_tabs_at_once_lose_no_row_and_no_number(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'p.db'}"
    with RunStore(url, tmp_path) as first, RunStore(url, tmp_path) as second:
        room, _ = first.classes.create()
        student, _ = first.classes.join(room.code, "Ada")

        def work(store: RunStore) -> None:
            for _ in range(8):
                add(store.classes, student, ".")

        tabs = [threading.Thread(target=work, args=(store,)) for store in (first, second)]
        for tab in tabs:
            tab.start()
        for tab in tabs:
            tab.join()
        rows = first.classes.takings(room.code)
        assert [len(row.taken) for row in rows] == list(range(1, 17))
        assert first.classes.get(room.code).version == 18


def test_where_a_student_is_is_written_only_when_it_is_news(store: RunStore) -> None:
    room, _ = store.classes.create()
    ada, _ = store.classes.join(room.code, "Ada")
    for lesson in ("dominance", "dominance", "ranking"):
        store.classes.at(ada, lesson)
    assert store.classes.get(room.code).version == 4
    assert store.classes.students(room.code)[0].lesson == "ranking"


def test_what_changed_on_the_disk_is_named_and_left_out(store: RunStore) -> None:
    room, _ = store.classes.create()
    ada, secret = store.classes.join(room.code, "Ada")
    add(store.classes, ada, "1")
    with store._database.write("a fault") as connection:
        connection.execute(update(TakingRow).values(taken="2"))
        connection.execute(update(StudentRow).values(nickname="Eve"))
    assert store.classes.takings(room.code) == []
    assert store.classes.students(room.code) == []
    assert store.classes.student(ada.student_id, secret) is None
    with store._database.write("a fault") as connection:
        connection.execute(update(ClassRow).values(rules=Rules(ended=True).model_dump_json()))
    assert store.classes.all() == []
    with pytest.raises(CoreError, match=room.code):
        store.classes.get(room.code)
    assert len(store.check()) == 3


def test_a_deleted_class_takes_everything_along(store: RunStore) -> None:
    room, _ = store.classes.create()
    ada, _ = store.classes.join(room.code, "Ada")
    add(store.classes, ada, "1")
    assert [each.student_id for each in store.classes.delete(room.code)] == [ada.student_id]
    assert store.classes.takings(room.code) == store.classes.students(room.code) == []
    assert store.classes.versions(room.code) == (0, 0)
    assert store.check() == []
    with pytest.raises(NotFound):
        store.classes.delete(room.code)
