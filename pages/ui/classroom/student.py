"""What a student sees: what the class does now, and the board as far as it is revealed."""

from __future__ import annotations

import streamlit as st

from core.classes import contest
from core.text import for_markdown
from pages.ui import state
from pages.ui.classroom import (
    board_view,
    contest_pane,
    experiment_pane,
    follow,
    member,
    who_sees,
)
from pages.ui.classroom.member import Member
from pages.ui.classroom.state import View, change, show
from pages.ui.home_store import home_store

_PANES = {"join": "Now", "board": "Board", "experiment": "Shared experiment", "contest": "Contest"}
_PANE = "cl-pane"


def draw(view: View, mine: Member) -> None:
    """One part at a time."""
    code = mine.student.code
    pane = view.show if view.show in _PANES else "join"
    if pane == "join":
        follow.rules(code)
    elif pane == "contest":  # the others follow by themselves
        follow.everything(code)
    with st.container(horizontal=True, vertical_alignment="center", key="class-panes"):
        state.keep(_PANE, _PANES, pane)
        st.segmented_control(
            "Part of the class",
            list(_PANES),
            key=_PANE,
            format_func=_PANES.__getitem__,
            on_change=lambda: change(show=st.session_state[_PANE] or pane),
            label_visibility="collapsed",
        )
        st.markdown(f"You are **{for_markdown(mine.student.nickname)}** in class **{code}**.")
    if mine.rules.ended:
        st.info("This class is over. Your runs are still here; nothing in the class changes any more.")
    if pane == "join":
        _now(mine)
    elif pane == "board":
        _board(view, mine)
    elif pane == "experiment":
        experiment_pane.draw(home_store().classes.get(code), teacher=False, member=mine)
    else:
        contest_pane.for_student(mine)


def _now(mine: Member) -> None:
    rules, labels = mine.rules, board_view.labels()
    st.subheader("What the class does now", anchor=False)
    doing = False
    if rules.now in labels:
        doing = True
        with st.container(border=True, key="class-now-lesson"):
            st.markdown(f"**Lesson {for_markdown(labels[rules.now])}**")
            if rules.now in rules.revealed:
                st.markdown("The answer is revealed: compare it with your prediction.")
            elif rules.now in rules.locked:
                st.markdown("Predictions are closed; the answer comes when your teacher reveals it.")
            else:
                st.markdown("Read, then lock your prediction.")
            st.page_link(
                "pages/learn.py",
                label="Go to the lesson",
                icon=":material/arrow_forward:",
                query_params={"lesson": rules.now},
            )
    if rules.experiment:
        doing = True
        _offer("Shared experiment", "Train a network for the class.", "experiment")
    held = contest.current(rules)
    if held and held.open:
        doing = True
        _offer(f"Contest {held.number}", "Find the best subnet under the budget.", "contest")
    if not doing:
        st.markdown("Nothing yet: your teacher opens something soon, and it appears here by itself.")
    if rules.paused:
        st.caption("Jobs are paused by the teacher; what you start waits.")
    st.page_link("pages/learn.py", label="All lessons", icon=":material/school:")
    with st.popover("Leave the class", key="class-leave"):
        st.markdown(
            "This browser forgets that you are in the class. Your runs stay on the server, but nobody can open them any "
            "more, you neither."
        )
        st.button("Leave", key="class-leave-it", type="primary", on_click=_leave, args=(mine.student.code,))
    who_sees.draw()


def _offer(title: str, text: str, pane: str) -> None:
    with st.container(border=True, key=f"class-now-{pane}"):
        st.markdown(f"**{title}**")
        st.markdown(text)
        st.button(
            "Open",
            key=f"class-open-{pane}",
            icon=":material/arrow_forward:",
            on_click=change,
            kwargs={"show": pane},
        )


def _leave(code: str) -> None:
    member.leave(code)
    show(View())


def _board(view: View, mine: Member) -> None:
    room = mine.room
    seen, labels = board_view.lately(room.code), board_view.labels()
    follow.everything(room.code, drawn=seen.version)
    begun = {each.name: labels[each.name] for each in seen.lessons if each.name in labels}
    if not begun:
        st.caption("Nobody has predicted anything yet.")
        return
    fitting = [each for each in (view.lesson, room.rules.now) if each in begun]
    name = fitting[0] if fitting else board_view.busiest(seen, list(begun))
    board_view.choose(begun, name)
    each = board_view.of_lesson(seen, name)
    board_view.counts(each, len(seen.seats))
    if name in room.rules.revealed:
        board_view.chart(each)
    else:
        st.caption("What the class predicted is shown when your teacher reveals the answer.")
