"""A lesson: the steps at the left, the figure with its controls at the right."""

from __future__ import annotations

import json
from dataclasses import replace

import streamlit as st

from core.errors import CoreError
from core.lessons.asking import Answer
from core.lessons.base import Shown
from core.lessons.taken import Taken
from core.text import for_markdown
from pages.ui.classroom import follow
from pages.ui.classroom.member import member
from pages.ui.learn import figure, links, own_run, panes, state
from pages.ui.learn.class_record import ClassRecord
from pages.ui.learn.link_record import LinkRecord
from pages.ui.learn.opened import Opened, lessons, open_lesson
from pages.ui.learn.view import View


def draw(view: View) -> None:
    """Draw the open lesson and write what it shows into the address."""
    embedded = bool(st.context.is_embedded)
    opened = open_lesson(view)
    _head(view, embedded)
    if isinstance(opened, str):
        st.error(for_markdown(opened, 600), icon=":material/broken_image:")
        state.publish(view)
        return
    if opened.replaced:
        st.warning(for_markdown(opened.replaced, 600), icon=":material/link_off:")
        view = replace(view, run="", supernet="")
    if state.just_arrived(view.lesson):
        _hold_against(opened)
    view = replace(view, hidden=tuple(dict.fromkeys((*view.hidden, *state.class_hides()))))
    view, taken = _with_the_class(view, state.record().all().get(view.lesson, Taken()))
    order = panes.steps(opened, view.hidden)
    step = panes.allowed(view.step, order, taken)
    with st.container(key="lesson-hero"):
        left, right = st.columns([1, 1.5], gap="medium")
    with right, st.container(key="lesson-stays"):
        place = st.container(key="lesson-shown")
        waiting = taken.prediction is not None and not taken.revealed
        now = figure.controls(opened, view.hidden, disabled=waiting)
        figure.about(opened)
    with left, st.container(key="lesson-text"):
        panes.strip(order, step, taken)
        scene = panes.Scene(opened, view, taken, now, embedded)
        draft = panes.draw(scene, step, order)
    with place:
        mine = draft if draft is not None and step.isdigit() is False else taken.prediction
        figure.draw(
            opened,
            Shown(now, _fitting(opened, now, mine), revealed=taken.revealed),
            marking=step == "predict" and taken.prediction is None,
        )
    shown = replace(
        view,
        step=step if view.step or step != order[0] else "",
        controls=state.controls_json(now, figure.starts(opened)),
        draft=_draft(view, step, draft, taken),
    )
    link = state.publish(shown)
    _below(opened, shown, link, embedded)


def _head(view: View, embedded: bool) -> None:
    lesson = lessons()[view.lesson]
    number = "Beyond the twelve" if lesson.optional else f"Lesson {lesson.place}"
    with st.container(key="lesson-head", horizontal=True, vertical_alignment="center"):
        st.header(f"{number} · {lesson.label}", anchor=False, width="content")
        if embedded:
            return
        if state.record().all().get(view.lesson, Taken()) != Taken():
            st.button(
                "Start over",
                key="lesson-reset",
                icon=":material/restart_alt:",
                on_click=state.begin_again,
                args=(view,),
                help="Takes back your prediction and your answers. You can undo it.",
            )
        elif state.can_undo(view.lesson):
            st.button("Undo", key="lesson-undo", icon=":material/undo:", on_click=state.undo)
        st.button(
            "All lessons",
            key="lesson-all",
            icon=":material/list_alt:",
            on_click=state.open_named,
            args=("",),
        )


def _with_the_class(view: View, taken: Taken) -> tuple[View, Taken]:
    """A student's lesson follows the class: the teacher sees who is where, and the reveal comes by itself."""
    kept, found = state.record(), member()
    if found is None or not isinstance(kept, ClassRecord):
        return view, taken
    follow.rules(found.student.code)
    try:
        kept.opened(view.lesson)
        waits = taken.prediction is not None and not taken.revealed
        if waits and found.rules.waits and not kept.why_not_reveal(view.lesson):
            kept.reveal(view.lesson)
            return replace(view, step="result"), kept.all().get(view.lesson, taken)
    except CoreError as error:
        st.warning(for_markdown(error, 300), icon=":material/error:")
    return view, taken


def _hold_against(opened: Opened) -> None:
    """A link may say anything: what is no answer of this lesson was never given, and what is right is computed here."""
    kept, name = state.record(), opened.lesson.name
    if not isinstance(kept, LinkRecord) or kept.of(name) == Taken():
        return
    found, evidence = kept.of(name), opened.evidence
    prediction = opened.lesson.prediction(evidence, opened.settled).read(_plain(found.prediction))
    if prediction is None:
        kept.put(name, Taken())
        return
    ask, truth = (
        opened.lesson.question(evidence, opened.now),
        opened.lesson.answer(evidence, opened.now),
    )
    read = [ask.read(_plain(each)) for each in found.answers] if found.revealed else []
    answers = tuple(each for each in read if each is not None)
    kept.put(
        name,
        Taken(prediction, found.revealed, answers, bool(answers) and ask.right(answers[-1], truth)),
    )


def _plain(answer: Answer | None) -> object:
    return json.loads(json.dumps(answer))


def _fitting(opened: Opened, now: dict[str, Answer], mine: Answer | None) -> Answer | None:
    """The prediction, where the controls that stand now still ask for such a one."""
    if mine is None:
        return None
    return opened.lesson.prediction(opened.evidence, now).read(_plain(mine))


def _draft(view: View, step: str, draft: Answer | None, taken: Taken) -> str:
    if taken.prediction is not None:
        return ""
    if step != "predict":
        return view.draft
    return json.dumps(draft, separators=(",", ":")) if draft is not None else ""


def _below(opened: Opened, view: View, link: dict[str, str], embedded: bool) -> None:
    if embedded:
        return
    if "seed" not in view.hidden:
        own_run.draw(opened, view)
    links.draw(opened, view)
