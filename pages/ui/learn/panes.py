"""The steps of a lesson: pages of text, the prediction, what the run shows, the question, where to go on."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass

import streamlit as st

from core import glossary
from core.errors import CoreError
from core.lessons.asking import Answer, Ask, Mark, Order
from core.lessons.base import check
from core.lessons.taken import Taken
from core.text import for_markdown
from core.words import format_count
from pages.ui.learn import asks, figure, state
from pages.ui.learn.opened import Opened, lessons
from pages.ui.learn.view import View, as_json
from pages.ui.setup import link_to

_SHORT = 48
NAMES = {"predict": "Predict", "result": "Compare", "question": "Question", "further": "Go further"}


@dataclass(frozen=True, eq=False)
class Scene:
    """What the steps share.

    Attributes:
        opened: the lesson.
        view: what the page shows.
        taken: what was done.
        now: where the controls stand.
        embedded: whether the page stands within another one.
    """

    opened: Opened
    view: View
    taken: Taken
    now: dict[str, Answer]
    embedded: bool


def steps(opened: Opened, hidden: tuple[str, ...]) -> list[str]:
    """Names of the steps in order."""
    pages = 0 if "text" in hidden else len(opened.lesson.text(opened.evidence))
    last = [] if "further" in hidden else ["further"]
    return [*(str(n + 1) for n in range(pages)), "predict", "result", "question", *last]


def allowed(step: str, order: list[str], taken: Taken) -> str:
    """The step itself, or the one that comes first: nobody is shown the result before the reveal."""
    if step in ("result", "question") and not taken.revealed:
        return "predict"
    return step if step in order else order[0]


def strip(order: list[str], step: str, taken: Taken) -> None:
    """Which step this is."""
    items = []
    for name in order:
        label = NAMES.get(name, f"Read {name}" if "2" in order else "Read")
        mark = ' aria-current="step"' if name == step else ""
        items.append(f"<li{mark}>{html.escape(label)}</li>")
    st.html(f'<ol class="ps-steps" aria-label="Steps of this lesson">{"".join(items)}</ol>')


def draw(scene: Scene, step: str, order: list[str]) -> Answer | None:
    """Draw a step; returns what is predicted so far, locked or not."""
    draft = scene.taken.prediction
    if step.isdigit():
        _read(scene, int(step))
    elif step == "predict":
        draft = _predict(scene)
    elif step == "result":
        _result(scene)
    elif step == "question":
        _question(scene)
    else:
        _further(scene)
    _move(scene, step, order)
    return draft


def _read(scene: Scene, page: int) -> None:
    opened = scene.opened
    texts = opened.lesson.text(opened.evidence)
    st.markdown(glossary.in_markdown(texts[page - 1]))
    if page == len(texts):
        st.markdown(glossary.in_markdown(f"**Your turn:** {opened.lesson.action(opened.evidence)}"))


def _predict(scene: Scene) -> Answer | None:
    opened, lesson = scene.opened, scene.opened.lesson
    settled = scene.taken.prediction is not None
    ask = lesson.prediction(opened.evidence, opened.settled if settled else scene.now)
    if "text" in scene.view.hidden:
        st.markdown(glossary.in_markdown(lesson.action(opened.evidence)))
    st.markdown(glossary.in_markdown(f"**{ask.text}**"))
    given: Answer | None
    if settled:
        given = scene.taken.prediction
        assert given is not None
        st.html(f'<p class="ps-mine">Your prediction: <b>{html.escape(_short(ask, given))}</b></p>')
    else:
        given = asks.draw(ask, figure.PREDICT, ask.read(_json(scene.view.draft)), label="Your prediction")
    why = state.record().why_not_reveal(lesson.name) if settled else "Lock your prediction first."
    with st.container(horizontal=True):
        st.button(
            "Lock my prediction",
            key="lesson-predict",
            type="secondary" if settled else "primary",
            icon=":material/lock:",
            disabled=settled or given is None,
            on_click=_lock,
            args=(scene, given),
            help="A locked prediction is not changed any more; then the truth can be revealed.",
        )
        st.button(
            "Reveal",
            key="lesson-reveal",
            type="primary" if settled else "secondary",
            icon=":material/visibility:",
            disabled=bool(why),
            on_click=_reveal,
            args=(lesson.name,),
        )
    if settled and why:
        st.caption(for_markdown(why, 300))
    elif not settled:
        st.caption("Guessing is the point: a prediction that turns out wrong is what one remembers.")
    return given


def _json(text: str) -> object:
    return json.loads(text) if text else None


def _lock(scene: Scene, given: Answer) -> None:
    try:
        state.record().lock(scene.opened.lesson.name, given, run=scene.view.of_run())
    except CoreError as error:
        st.toast(for_markdown(error, 300), icon=":material/lock:")
    else:
        state.change(settled=as_json(scene.now), draft="")


def _reveal(lesson: str) -> None:
    try:
        state.record().reveal(lesson)
    except CoreError as error:
        st.toast(for_markdown(error, 300), icon=":material/lock:")
    else:
        state.change(step="result")


def _short(ask: Ask, answer: Answer) -> str:
    """An answer in one line; of many points their number."""
    if isinstance(ask, Mark) and isinstance(answer, tuple):
        return f"{format_count(len(answer))} {'point' if len(answer) == 1 else 'points'}"
    return ask.words(answer)


def _result(scene: Scene) -> None:
    opened, lesson = scene.opened, scene.opened.lesson
    ask = lesson.prediction(opened.evidence, opened.settled)
    truth = lesson.truth(opened.evidence, opened.settled)
    mine = scene.taken.prediction
    assert mine is not None
    right = ask.right(mine, truth)
    rows = (("You predicted", _short(ask, mine)), ("This run shows", _short(ask, truth)))
    long = ' class="ps-long"' if max(len(said) for _, said in rows) > _SHORT else ""
    cells = "".join(f"<div><dt>{what}</dt><dd{long}>{html.escape(said)}</dd></div>" for what, said in rows)
    verdict = "as predicted" if right else "another answer"
    st.html(
        f'<dl class="ps-versus" data-right="{str(right).lower()}">{cells}</dl>'
        f'<p class="ps-verdict">{"✓" if right else "≠"} {verdict}</p>'
    )
    st.markdown(glossary.in_markdown(lesson.found(opened.evidence, opened.settled, mine)))


def _question(scene: Scene) -> None:
    opened, lesson = scene.opened, scene.opened.lesson
    ask = lesson.question(opened.evidence, scene.now)
    st.markdown(glossary.in_markdown(f"**{ask.text}**"))
    answers = scene.taken.answers
    last = answers[-1] if answers else None
    start = last if last is not None and ask.read(_plain(last)) is not None else None
    given = asks.draw(ask, f"{state.WIDGETS}answer", start, label="Your answer")
    st.button(
        "Check my answer",
        key="lesson-check",
        type="secondary" if scene.taken.right else "primary",
        icon=":material/check_circle:",
        disabled=given is None,
        on_click=_check,
        args=(scene, given),
    )
    if last is None or start is None:
        return
    checked = check(lesson, opened.evidence, scene.now, last)
    mine = "Your answer" if isinstance(ask, Mark | Order) else ask.words(last)
    explained = glossary.in_markdown(checked.explanation)
    with st.container(key="lesson-answer"):
        if checked.ok:
            st.success(f"**{for_markdown(mine)}: right.** {explained}", icon=":material/check_circle:")
        else:
            st.warning(f"**{for_markdown(mine)}: not yet.** {explained}", icon=":material/help:")
            st.caption("Try again; you have as many tries as you like.")


def _plain(answer: Answer) -> object:
    return list(answer) if isinstance(answer, tuple) else answer


def _check(scene: Scene, given: Answer) -> None:
    checked = check(scene.opened.lesson, scene.opened.evidence, scene.now, given)
    try:
        state.record().answered(scene.opened.lesson.name, given, right=checked.ok)
    except CoreError as error:
        st.toast(for_markdown(error, 300), icon=":material/error:")


def _further(scene: Scene) -> None:
    opened = scene.opened
    st.markdown("**See it on the real pages.** The links open them with the same run and selection.")
    for link in opened.lesson.further(opened.evidence):
        with st.container(border=True):
            st.markdown(glossary.in_markdown(link.text))
            if link.numbers:
                same = ", ".join(f"{name}: {value:,.6g}" for name, value in link.numbers.items())
                st.caption(f"The same numbers stand there. {for_markdown(same, 300)}")
            label = f"Open the {link.page.capitalize()} page"
            if scene.embedded:
                address = link_to(link.params).replace("/learn?", f"/{link.page}?")
                st.html(f'<a href="{html.escape(address)}" target="_blank">{html.escape(label)}</a>')
            else:
                st.page_link(
                    f"pages/{link.page}.py",
                    label=label,
                    icon=":material/arrow_forward:",
                    query_params=dict(link.params),
                )
    if "sources" not in scene.view.hidden:
        st.caption(f"Source: {for_markdown(opened.lesson.source, 600)}")


def _move(scene: Scene, step: str, order: list[str]) -> None:
    """Back and Next; the last step leads to the next lesson."""
    at, names = order.index(step), list(lessons())
    with st.container(horizontal=True, horizontal_alignment="distribute", key="lesson-move"):
        st.button(
            "Back",
            key="lesson-back",
            icon=":material/arrow_back:",
            disabled=at == 0,
            on_click=_to,
            args=(order[max(at - 1, 0)],),
        )
        if at + 1 < len(order):
            following = order[at + 1]
            st.button(
                "Next",
                key="lesson-next",
                icon=":material/arrow_forward:",
                type="primary" if step.isdigit() or step == "result" or _done(scene, step) else "secondary",
                disabled=allowed(following, order, scene.taken) != following,
                on_click=_to,
                args=(following,),
            )
        elif (here := names.index(scene.opened.lesson.name)) + 1 < len(names) and not scene.embedded:
            name = names[here + 1]
            st.button(
                f"Next lesson: {lessons()[name].label}",
                key="lesson-next",
                icon=":material/arrow_forward:",
                type="primary",
                on_click=state.open_named,
                args=(name,),
            )


def _done(scene: Scene, step: str) -> bool:
    return step == "question" and scene.taken.right


def _to(step: str) -> None:
    state.change(step=step)
