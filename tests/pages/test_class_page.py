"""The Class page: a teacher makes and leads a class, students join, and nobody sees what is not theirs."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.classes import contest, ruling, taking
from core.classes.board import asked_of
from core.store import RunStore
from core.store.class_rows import Entry, Room, Rules, Student
from pages.ui.classroom import arriving, member
from pages.ui.home_store import home_store

Open = Callable[..., AppTest]
LESSON = "dominance"


@pytest.fixture
def cookie(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    found: dict[str, str] = {}
    monkeypatch.setattr(type(st.context), "cookies", property(lambda self: found))
    return found


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arriving, "_WRONG_SECONDS", 0.01)


def made(**rules: object) -> tuple[Room, str]:
    room, secret = home_store().classes.create()
    home_store().classes.set_rules(room.code, lambda old, at: old.model_copy(update=rules))
    return home_store().classes.get(room.code), secret


def student_of(room: Room, name: str, cookie: dict[str, str]) -> Student:
    student, secret = home_store().classes.join(room.code, name)
    cookie[member.COOKIE] = str(member.Pass(room.code, student.student_id, secret))
    return student


def words(app: AppTest) -> str:
    assert not app.exception, app.exception[0].message
    parts: list[Any] = [*app.markdown, *app.caption, *app.warning, *app.info, *app.subheader, *app.success]
    html = [each.proto.body for each in app.get("html")]
    return "\n".join([*(str(each.value) for each in parts), *html])


def rules_of(room: Room) -> Rules:
    return home_store().classes.get(room.code).rules


def test_a_teacher_makes_a_class_and_gets_code_link_and_picture(open_page: Open) -> None:
    app = open_page("classroom")
    app.button(key="class-new").click().run()
    [room] = home_store().classes.all()
    secret = str(app.query_params["teacher"])
    assert home_store().classes.is_teacher(room.code, secret)
    text = words(app)
    assert f"{room.code[:3]} {room.code[3:]}" in text
    assert 'class="ps-qr"' in text
    assert "data:image/svg+xml" in text
    for_students, own = re.findall(r"<code>(.*?)</code>", text)
    assert f"class={room.code}" in for_students
    assert "teacher" not in for_students
    assert secret in own


def test_wrong_and_hostile_codes_get_one_sentence(open_page: Open) -> None:
    room, _ = made()
    app = open_page("classroom")
    said = set()
    for code in ("AAAAAA", "", "x" * 20, "<b>", "'; --", "../../"):
        app.text_input(key="class-code").set_value(code)
        app.button(key="class-join").click().run()
        said.add(tuple(each.value for each in app.warning))
    assert len(said) == 1
    app.text_input(key="class-code").set_value(f" {room.code.lower()} ")
    app.button(key="class-join").click().run()
    assert f"Join class {room.code}" in words(app)
    assert not app.warning
    assert open_page("classroom", **{"class": "AAAAAA"}).warning


def test_wrong_codes_wait_for_each_other_and_right_ones_do_not(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, _ = made()
    waits: list[float] = []
    monkeypatch.setattr(arriving, "time", SimpleNamespace(sleep=waits.append))
    open_page("classroom", **{"class": room.code})
    assert waits == []
    open_page("classroom", **{"class": "AAAAAA"})
    assert waits == [arriving._WRONG_SECONDS]


def test_a_student_joins_and_a_reload_finds_the_sandbox_again(
    open_page: Open, cookie: dict[str, str]
) -> None:
    room, secret = made(now=LESSON)
    app = open_page("classroom", **{"class": room.code})
    app.text_input(key="class-nickname").set_value(" Ada  L. ")
    app.button(key="class-enter").click().run()
    [ada] = home_store().classes.students(room.code)
    text = words(app)
    assert "Ada L" in text
    assert "Which subnets" in text, "the lesson the class is at"
    assert secret not in text
    held = app.session_state["class-passes"][0]
    assert f'data-cookie="{held}"' in text
    assert held.secret not in str(app.query_params)
    cookie[member.COOKIE] = str(held)
    again = open_page("classroom")  # a new session, after a server was started anew
    assert "Ada L" in words(again)
    assert again.query_params["class"] == room.code
    assert held.student_id == ada.student_id


def test_names_that_are_taken_or_nothing_are_refused(open_page: Open) -> None:
    room, _ = made()
    home_store().classes.join(room.code, "Ada")
    app = open_page("classroom", **{"class": room.code})
    for name in ("ada", "  ", "\u3164"):
        app.text_input(key="class-nickname").set_value(name)
        app.button(key="class-enter").click().run()
        assert app.warning
    assert len(home_store().classes.students(room.code)) == 1


def test_a_hostile_nickname_is_plain_text_for_everybody(open_page: Open, cookie: dict[str, str]) -> None:
    room, secret = made()
    hostile = "<img src=x>[a](b)$x$"
    student_of(room, hostile, cookie)
    app = open_page("classroom", **{"class": room.code})
    assert "\\<img src\\=x\\>\\[a\\]\\(b\\)" in words(app)
    for show in ("join", "board"):
        text = words(open_page("classroom", **{"class": room.code, "teacher": secret, "show": show}))
        assert "<img src=x>" not in text


def test_reveal_lock_and_send_reach_the_rules(open_page: Open) -> None:
    room, secret = made()
    app = open_page("classroom", **{"class": room.code, "teacher": secret, "show": "board", "lesson": LESSON})
    for key in ("class-send", "class-lock", "class-reveal"):
        app.button(key=key).click().run()
    assert (rules_of(room).now, rules_of(room).locked, list(rules_of(room).revealed)) == (
        LESSON,
        (LESSON,),
        [LESSON],
    )
    for key in ("class-lock", "class-reveal"):
        app.button(key=key).click().run()
    assert (rules_of(room).locked, rules_of(room).revealed) == ((), {})
    assert words(app)


@pytest.mark.slow
def test_predictions_are_hidden_from_students_and_projector_before_the_reveal(
    open_page: Open, cookie: dict[str, str]
) -> None:
    room, secret = made()
    ada = student_of(room, "Ada", cookie)
    question = asked_of(LESSON)
    assert question is not None
    taking.lock(home_store().classes, ada, LESSON, question.truth, evidence="")

    def charts(**more: str) -> int:
        app = open_page("classroom", **{"class": room.code, "show": "board", "lesson": LESSON, **more})
        assert "1 of 1" in words(app)
        return len(app.get("plotly_chart"))

    assert charts() == charts(teacher=secret) == 0
    home_store().classes.set_rules(room.code, lambda rules, at: ruling.reveal(rules, LESSON, at))
    assert charts() == charts(teacher=secret) == 1
    student = words(open_page("classroom", **{"class": room.code, "show": "board"}))
    assert "Who is where" not in student


def test_a_teacher_removes_a_nickname_and_takes_it_back(open_page: Open, cookie: dict[str, str]) -> None:
    room, secret = made()
    ada = student_of(room, "Ada", cookie)
    app = open_page("classroom", **{"class": room.code, "teacher": secret, "show": "board"})
    app.button(key="class-remove-it").click().run()
    assert home_store().classes.students(room.code)[0].removed
    assert "removed this nickname" in words(open_page("classroom", **{"class": room.code}))
    app.button(key="class-undo").click().run()
    assert not home_store().classes.students(room.code)[0].removed
    assert ada.nickname in words(open_page("classroom", **{"class": room.code}))


def test_switches_change_the_rules_and_the_class_ends_and_goes_on(open_page: Open) -> None:
    room, secret = made()
    home_store().classes.join(room.code, "Ada")

    def at_rules() -> AppTest:
        return open_page("classroom", **{"class": room.code, "teacher": secret, "show": "rules"})

    def switch(app: AppTest, name: str) -> AppTest:
        now = home_store().classes.get(room.code).rules_version
        return app.toggle(key=f"cl-{name}-{now}").set_value(not getattr(rules_of(room), name)).run()

    app = at_rules()
    for name, expected in (("waits", False), ("anonymous", True), ("paused", True), ("paused", False)):
        app = switch(app, name)
        assert words(app)
        assert getattr(rules_of(room), name) is expected
    now = home_store().classes.get(room.code).rules_version
    app.multiselect(key=f"cl-hidden-{now}").set_value(["seed"]).run()
    assert rules_of(room).hidden == ("seed",)
    app.button(key="class-end-it").click().run()
    assert rules_of(room).ended
    assert "over" in words(open_page("classroom", **{"class": room.code}))
    at_rules().button(key="class-again").click().run()
    assert not rules_of(room).ended


def test_a_strangers_teacher_link_leads_nothing(open_page: Open) -> None:
    room, secret = made()
    other, _ = made()
    for code, said in ((room.code, "x" * 32), (other.code, secret)):
        app = open_page("classroom", **{"class": code, "teacher": said})
        assert "new-secret" in words(app)
        assert not [each for each in app.button if each.key in ("class-reveal", "class-end-it")]
    for show in ("rules", "files", "join"):
        app = open_page("classroom", **{"class": room.code, "show": show})
        assert [each.key for each in app.button if str(each.key).startswith("class-")] == ["class-enter"]


def test_the_contest_from_opening_to_a_verdict(
    open_page: Open, cookie: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def judged(store: RunStore, sandbox: RunStore, code: str, tried: Entry) -> Entry:
        store.class_work.judged(code, tried, tried.of // 2)
        return store.class_work.entries(code)[-1]

    monkeypatch.setattr(contest, "judged", judged)  # what it says is tested in tests/classes
    room, secret = made()
    teacher = open_page("classroom", **{"class": room.code, "teacher": secret, "show": "contest"})
    teacher.number_input(key="class-budget").set_value(30_000)
    teacher.button(key="class-contest").click().run()
    assert rules_of(room).contests[0].budget == 30_000
    student_of(room, "Ada", cookie)
    app = open_page("classroom", **{"class": room.code, "show": "contest"})
    seed = str(rules_of(room).contests[0].seed)
    for arch_id in ("222301301", "0", "000000000"):
        app.text_input(key="class-entry").set_value(arch_id)
        app.button(key="class-enter-it").click().run()
        assert seed not in words(app)
    [entry] = home_store().class_work.entries(room.code)
    assert entry.arch_id == "000000000"
    text = words(app)
    assert "50.0" in text
    assert "Leaderboard" in text
    assert "My tries" in text
    teacher.run()
    assert "Ada" in words(teacher)
    teacher.button(key="class-contest-close").click().run()
    assert "closed" in words(app.run())


@pytest.mark.slow
def test_what_was_picked_on_the_front_page_stands_in_the_contest(
    open_page: Open, cookie: dict[str, str]
) -> None:
    room, _ = made()
    home_store().classes.set_rules(room.code, lambda rules, at: contest.opened(rules, 30_000))
    student_of(room, "Ada", cookie)
    app = open_page("front", supernet="digits-lesson", sid="000000000", limits="macs<=30000")
    app.query_params.clear()
    app.query_params["show"], app.query_params["class"] = "contest", room.code
    app.switch_page("pages/classroom.py").run()
    assert app.text_input(key="class-entry").value == "000000000"


def test_the_experiment_deals_and_collects(
    open_page: Open, cookie: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pages.ui import resources

    room, secret = made()
    teacher = open_page("classroom", **{"class": room.code, "teacher": secret, "show": "experiment"})
    teacher.button(key="class-experiment").click().run()
    ada = student_of(room, "Ada", cookie)
    asked: list[Any] = []

    class Jobs:
        def submit(self, kind: str, params: Any, **more: Any) -> str:
            asked.append((kind, params))
            return "a" * 32

    monkeypatch.setattr(resources, "jobs", Jobs)
    app = open_page("classroom", **{"class": room.code, "show": "experiment"})
    app.button(key="class-train").click().run()
    [deal] = home_store().class_work.deals(room.code)
    assert asked == [
        ("train_alone", {"supernet": "digits-lesson", "arch": deal.arch_id, "seeds": 1, "seed": 1})
    ]
    assert (deal.student_id, deal.run_id) == (ada.student_id, "a" * 32)
    monkeypatch.setattr("pages.ui.classroom.collecting.result_of", lambda sandbox, deal: 0.875)
    resources.sandboxes().open(ada.student_id)
    assert "87.5" in words(app.run())
    assert home_store().class_work.deals(room.code)[0].test_accuracy == 0.875
    assert "1 of 1 networks" in str([each.text for each in teacher.run().get("progress")] or words(teacher))
