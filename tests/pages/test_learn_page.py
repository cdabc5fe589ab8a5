"""Learn: every lesson is taken from start to end; answers come from the lesson's own functions."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.classes import ruling
from core.lessons.asking import Answer, Ask, Choose, Mark, Number, Order
from core.lessons.base import LESSONS, Evidence, Lesson, controls_of, evidence_of
from core.lessons.taken import decode
from core.library.library import Library
from pages.ui.address import format_view, parse
from pages.ui.classroom.member import COOKIE, Pass
from pages.ui.home_store import home_store
from pages.ui.learn import asks
from pages.ui.learn.view import View
from tests.helpers.terms import unlinked

Open = Callable[..., AppTest]
NAMES = LESSONS.names()


def lesson(name: str) -> Lesson[Any]:
    made: Lesson[Any] = LESSONS.create(name)
    return made


def evidence(name: str) -> tuple[Lesson[Any], Evidence, dict[str, Answer]]:
    each = lesson(name)
    found = evidence_of(each, Library(None))
    return each, found, controls_of(each, found, {})


def wrong(ask: Ask, truth: Answer) -> Answer | None:
    """An answer that can be given and is not right; None where there is none."""
    if isinstance(ask, Number):
        assert isinstance(truth, int | float)
        ends = [end for end in (ask.low, ask.high) if not ask.right(end, truth)]
        return ends[0] if ends else None
    if isinstance(ask, Choose):
        return next((key for key in ask.options if key != truth), None)
    keys = tuple(ask.options) if isinstance(ask, Mark | Order) else ()
    options = [keys[::-1], keys] if isinstance(ask, Order) else [(key,) for key in keys]
    fitting = [each for each in options if ask.read(list(each)) is not None]
    return next((each for each in fitting if not ask.right(each, truth)), None)


def give(app: AppTest, ask: Ask, key: str, answer: Answer) -> None:
    """Enter an answer as its widget takes it."""
    if isinstance(ask, Mark | Order):
        app.multiselect(key=key).set_value(list(answer))  # type: ignore[arg-type]
    elif isinstance(ask, Number):
        assert isinstance(answer, int | float)
        field: Any = next(widget for widget in (*app.slider, *app.number_input) if widget.key == key)
        whole = isinstance(field.min, int)
        field.set_value(int(answer) if whole else float(answer))
    else:
        field = next(widget for widget in (*app.radio, *app.selectbox) if widget.key == key)
        field.set_value(answer)
    app.run()


def press(app: AppTest, key: str) -> AppTest:
    button = app.button(key=key)
    assert not button.disabled, key
    button.click().run()
    assert not app.exception, app.exception[0].message
    return app


def to_step(app: AppTest, step: str) -> None:
    for _ in range(12):
        if app.session_state["learn-view"].step == step:
            return
        press(app, "lesson-next")
    raise AssertionError(f"{step} is not reached")


def texts(app: AppTest) -> str:
    parts = [*app.markdown, *app.caption, *app.success, *app.warning, *app.get("html")]
    whole = html.unescape("\n".join(str(getattr(each, "value", "") or each.proto.body) for each in parts))
    return unlinked(whole)


def asked(app: AppTest) -> dict[str, str]:
    """The address."""
    found = dict(app.query_params.items())
    found.pop("replace", None)
    return {key: value if isinstance(value, str) else value[0] for key, value in found.items()}


def figure(app: AppTest) -> dict[str, Any]:
    [chart] = app.get("plotly_chart")
    spec: dict[str, Any] = json.loads(chart.proto.spec)
    return spec


def test_the_map_lists_every_lesson(open_page: Open) -> None:
    app = open_page("learn")
    for name in NAMES:
        assert lesson(name).label in texts(app)
        assert app.button(key=f"lesson-open-{name}").label == "Open"


@pytest.mark.parametrize("name", NAMES)
def test_a_lesson_is_taken_from_start_to_end(open_page: Open, name: str) -> None:
    each, found, at = evidence(name)
    app = open_page("learn")
    press(app, f"lesson-open-{name}")
    assert not app.warning
    assert each.text(found)[0].split(".")[0][:30] in texts(app)
    to_step(app, "predict")
    assert app.button(key="lesson-reveal").disabled, "nothing is revealed before a prediction is locked"
    assert app.button(key="lesson-next").disabled
    ask, truth = each.prediction(found, at), each.truth(found, at)
    guess = wrong(ask, truth)
    give(app, ask, "ls-predict", truth if guess is None else guess)
    press(app, "lesson-predict")
    assert app.button(key="lesson-predict").disabled, "it is locked for good"
    assert decode(asked(app)["taken"]).prediction is not None
    before = figure(app)
    press(app, "lesson-reveal")
    said = texts(app)
    assert "This run shows" in said
    assert ("another answer" in said) is (guess is not None)
    assert each.found(found, at, truth if guess is None else guess)[:20] in said
    assert figure(app)["layout"]["xaxis"].get("type") == before["layout"]["xaxis"].get("type")
    to_step(app, "question")
    ask, truth = each.question(found, at), each.answer(found, at)
    if (answer := wrong(ask, truth)) is not None:
        give(app, ask, "ls-answer", answer)
        press(app, "lesson-check")
        assert "not yet" in app.warning[0].value
        assert each.explain(found, at, answer)[:20] in unlinked(app.warning[0].value)
    give(app, ask, "ls-answer", truth)
    press(app, "lesson-check")
    assert "right" in app.success[0].value
    to_step(app, "further")
    assert each.source[:20] in texts(app).replace("\\", "")
    link = asked(app)
    press(app, "lesson-all")
    assert app.button(key=f"lesson-open-{name}").label == "Open again"
    assert asked(app)["done"] == name
    # Whoever keeps the link goes on where it was left.
    again = open_page("learn", **link)
    assert again.session_state["learn-view"].step == "further"
    assert again.session_state["learn-taken"][name].right
    press(again, "lesson-reset")
    assert name not in again.session_state["learn-taken"]
    assert again.session_state["learn-view"].step == ""
    press(again, "lesson-undo")
    assert again.session_state["learn-taken"][name].right


def test_a_click_marks_a_point_and_another_takes_the_mark_back(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks: dict[str, Any] = {}
    with monkeypatch.context() as patch:
        patch.setattr("streamlit.session_state", marks)
        for expected in (["a"], ["a", "b"], ["b"]):
            asks.toggle("ls-predict", "a" if expected != ["a", "b"] else "b")
            assert marks["ls-predict"] == expected
    each, found, _ = evidence("dominance")
    [key, *_] = each.prediction(found, {}).options  # type: ignore[attr-defined]
    app = open_page("learn", lesson="dominance", step="predict")
    give(app, each.prediction(found, {}), "ls-predict", (key,))
    marked = [trace for trace in figure(app)["data"] if trace["name"] == "marked by you"]
    assert [trace["customdata"] for trace in marked] == [[key]]


HOSTILE = (
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "[" * 500,
    '{"x": ' * 50,
    "null",
    "true",
    '"' + "9" * 3500 + '"',
    "1e999",
    "NaN",
    "[1, 2]",
    "{}",
    '{"prediction": [1], "revealed": true, "right": true, "answers": [[]]}',
    '{"prediction": "x", "revealed": true, "right": true, "answers": ["y", 5, null]}',
    '{"revealed": true}',
    "-1",
    "99999999999",
    "predict,<b>",
    "result",
    "\u202e\u0000",
)


KEYS = ("lesson", "step", "supernet", "run", "seed", "set", "mine", "taken", "at", "hide", "done", "guide")


def test_strangers_links_are_read_and_stay_put() -> None:
    for key in KEYS:
        for value in HOSTILE:
            view = parse(View, {"lesson": "dominance", key: value})
            assert parse(View, format_view(view)) == view


def test_strangers_links_give_a_page(open_page: Open) -> None:
    app = open_page("learn")
    links = [(key, HOSTILE[(3 * n) % len(HOSTILE)]) for n, key in enumerate(KEYS)]
    for key, value in [*links, *(("taken", value) for value in HOSTILE if "prediction" in value)]:
        app.query_params.clear()
        for name, text in ({"lesson": "dominance"} | {key: value}).items():
            app.query_params[name] = text
        app.run()
        assert not app.exception, app.exception[0].message
        assert not app.error
        taken = app.session_state["learn-taken"].get("dominance")
        assert taken is None or not taken.right, "what is right is computed here"


def test_a_run_that_is_not_there_is_one_sentence_and_the_shipped_one(open_page: Open) -> None:
    app = open_page("learn", lesson="dominance", supernet="0" * 32)
    assert "shipped run is shown instead" in app.warning[0].value
    assert figure(app)["data"]


def test_a_teacher_hides_what_the_link_names(open_page: Open) -> None:
    app = open_page("learn", lesson="dominance", hide="text,seed,further")
    assert app.session_state["learn-view"].hidden == ("text", "seed", "further")
    assert {button.key for button in app.button} >= {"lesson-predict", "lesson-reveal"}
    assert all(each.label != "With a seed of your own" for each in app.expander)
    app.multiselect(key="ls-hide").set_value(["seed"]).run()
    assert "hide=seed" in texts(app)


def test_within_another_page_there_is_neither_menu_nor_reset(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamlit.runtime.context.ContextProxy.is_embedded", property(lambda self: True))
    app = open_page("learn", lesson="dominance", step="predict")
    keys = {button.key for button in app.button}
    assert {"lesson-predict", "lesson-reveal", "lesson-back"} <= keys
    assert not keys & {"lesson-reset", "lesson-all", "lesson-compute", "lesson-undo"}
    assert not app.expander


def test_a_student_waits_for_the_class(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is locked stands in the class, not in the address; the reveal is the teacher's, and comes by itself."""
    classes = home_store().classes
    room, _ = classes.create()
    ada, secret = classes.join(room.code, "Ada")
    cookies = {COOKIE: str(Pass(room.code, ada.student_id, secret))}
    monkeypatch.setattr(type(st.context), "cookies", property(lambda self: cookies))
    each, found, _ = evidence("dominance")
    ask = each.prediction(found, {})
    [key, *_] = ask.options  # type: ignore[attr-defined]
    app = open_page("learn", lesson="dominance", step="predict", taken='{"prediction":["x"],"revealed":true}')
    give(app, ask, "ls-predict", (key,))
    press(app, "lesson-predict")
    [taking] = classes.takings(room.code)
    assert (taking.lesson, decode(taking.taken).prediction) == ("dominance", (key,))
    assert app.button(key="lesson-reveal").disabled
    assert "teacher reveals" in texts(app)
    classes.set_rules(room.code, lambda rules, at: ruling.reveal(rules, "dominance", at))
    classes.set_rules(room.code, lambda rules, at: rules.model_copy(update={"hidden": ("seed",)}))
    app.run()
    assert "This run shows" in texts(app)
    assert app.session_state["learn-view"].step == "result"
    assert all(expander.label != "With a seed of your own" for expander in app.expander)
