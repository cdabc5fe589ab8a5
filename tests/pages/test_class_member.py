"""Who a visitor is in a class: from the session, from the cookie after a reload, and nobody for strangers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.store.class_rows import LETTERS
from pages.ui.classroom import member
from pages.ui.home_store import home_store


def script() -> None:
    import streamlit as st

    from pages.ui.classroom import member
    from pages.ui.learn.class_record import ClassRecord

    found = member.member()
    st.text(str(member.sandbox()))
    st.text(found.student.nickname if found else "nobody")
    member.write_cookie()
    if found:
        record = ClassRecord(found)
        st.text(record.why_not_reveal("dominance"))
        st.text(str(record.all()))


def texts(app: AppTest) -> list[str]:
    assert not app.exception, app.exception[0].message
    return [each.value for each in app.text]


@pytest.fixture
def cookie(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    found: dict[str, str] = {}
    monkeypatch.setattr(type(st.context), "cookies", property(lambda self: found))
    return found


def test_a_student_is_found_by_the_cookie_and_followed(cookie: dict[str, str]) -> None:
    classes = home_store().classes
    room, _ = classes.create()
    ada, secret = classes.join(room.code, "Ada")
    assert texts(AppTest.from_function(script).run()) == ["None", "nobody"]
    cookie[member.COOKIE] = str(member.Pass(room.code, ada.student_id, secret))
    app = AppTest.from_function(script).run()
    assert texts(app)[:2] == [ada.student_id, "Ada"]
    assert "teacher" in texts(app)[2]
    classes.set_rules(room.code, lambda rules, at: rules.model_copy(update={"waits": False}))
    assert texts(app.run())[2] == ""
    classes.take(ada, "dominance", "", lambda before, rules: ('{"prediction": 1.0}', False))
    assert "prediction=1.0" in texts(app.run())[3]
    classes.remove(room.code, ada.student_id)
    assert texts(app.run()) == ["None", "nobody"]
    classes.remove(room.code, ada.student_id, removed=False)
    assert texts(app.run())[1] == "Ada"


def test_strangers_are_nobody(cookie: dict[str, str]) -> None:
    classes = home_store().classes
    room, teacher = classes.create()
    other, _ = classes.create()
    ada, secret = classes.join(room.code, "Ada")
    for code, who, said in (
        (room.code, ada.student_id, "0" * 32),
        (other.code, ada.student_id, secret),
        (room.code, "f" * 32, secret),
        ("AAAAAA", ada.student_id, secret),
    ):
        cookie[member.COOKIE] = f"{code}.{who}.{said}"
        assert texts(AppTest.from_function(script).run()) == ["None", "nobody"]
    for hostile in (
        "",
        "~" * 500,
        "x" * 10_000,
        f"{room.code}.{ada.student_id}.{teacher}",
        "<script>",
        "../..",
    ):
        assert member.read_cookie(hostile) == []


def test_an_unchanged_class_is_not_read_again(
    cookie: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    classes = home_store().classes
    room, _ = classes.create()
    ada, secret = classes.join(room.code, "Ada")
    cookie[member.COOKIE] = str(member.Pass(room.code, ada.student_id, secret))
    app = AppTest.from_function(script).run()
    monkeypatch.setattr(type(classes), "student", lambda *_: pytest.fail("read again"))
    assert texts(app.run())[1] == "Ada"


def test_the_script_takes_every_cookie_that_is_written_and_nothing_else() -> None:
    look = (Path(__file__).resolve().parents[2] / "assets/look/look.js").read_text(encoding="utf-8")
    accepted = re.search(r"!/(\^\[.*?\]\*\$)/\.test\(text\)", look)
    assert accepted
    for text in ("", "~".join(str(member.Pass(LETTERS[:6], "0f" * 16, "9a" * 16)) for _ in range(4))):
        assert re.match(accepted[1], text)
    for hostile in ("a; Path=/", "a=b", "<b>", "é"):
        assert not re.fullmatch(accepted[1].rstrip("$"), hostile)
    assert f"{member.COOKIE}=" in look
