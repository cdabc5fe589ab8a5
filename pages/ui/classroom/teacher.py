"""What the teacher sees and does."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from core.classes import ruling
from core.classes.board import asked_of
from core.errors import CoreError
from core.jobs.manager import JobManager
from core.lessons.base import all_lessons
from core.store.class_rows import Room, Rules, Student
from core.text import for_markdown
from pages.ui import history, resources, state
from pages.ui.classroom import board_view, collecting, contest_pane, experiment_pane, files, follow, invite
from pages.ui.classroom.state import PANES, View, change
from pages.ui.home_store import home_store
from pages.ui.learn.view import PARTS

_LABELS = {
    "join": "Invite",
    "board": "Board",
    "experiment": "Shared experiment",
    "contest": "Contest",
    "rules": "Rules",
    "files": "Take home",
}
_PANE, _SAID, _REMOVED = "cl-pane", "class-failed", "class-removed"


def draw(view: View, room: Room) -> None:
    """One part of the class at a time: a projector shows it."""
    follow.everything(room.code, lambda: collecting.fetch(home_store(), resources.sandboxes(), room.code))
    pane = view.show or "board"
    with st.container(horizontal=True, vertical_alignment="center", key="class-panes"):
        state.keep(_PANE, PANES, pane)
        st.segmented_control(
            "Part of the class",
            PANES,
            key=_PANE,
            format_func=_LABELS.__getitem__,
            on_change=_choose_pane,
            args=(pane,),
            label_visibility="collapsed",
        )
        st.markdown(f"Class **{room.code}**{' · over' if room.rules.ended else ''}")
    if said := st.session_state.pop(_SAID, ""):
        st.warning(for_markdown(said, 600), icon=":material/error:")
    students = [each for each in home_store().classes.students(room.code) if not each.removed]
    parts: Mapping[str, Callable[[], None]] = {
        "join": lambda: invite.draw(view, room, students),
        "board": lambda: _board(view, room),
        "experiment": lambda: experiment_pane.draw(room, teacher=True),
        "contest": lambda: contest_pane.for_teacher(room),
        "rules": lambda: _rules(room, students),
        "files": lambda: files.draw(room),
    }
    parts[pane]()


def _choose_pane(now: str) -> None:
    change(show=st.session_state[_PANE] or now)


def set_rules(code: str, change_them: Callable[[Rules, int], Rules]) -> None:
    """Change the rules; what goes wrong is said at the next run."""
    try:
        home_store().classes.set_rules(code, change_them)
    except CoreError as error:
        st.session_state[_SAID] = str(error)


def _set(code: str, **values: object) -> None:
    set_rules(code, lambda rules, at: rules.model_copy(update=values))


def _board(view: View, room: Room) -> None:
    seen, labels = board_view.current(room), board_view.labels()
    wanted = view.lesson if view.lesson in labels else room.rules.now
    name = wanted if wanted in labels else board_view.busiest(seen, list(labels))
    with st.container(key="settings-bar", horizontal=True, vertical_alignment="bottom"):
        board_view.choose(labels, name)
        _lesson_buttons(room, name)
    each = board_view.of_lesson(seen, name)
    board_view.counts(each, len(seen.seats))
    revealed = name in room.rules.revealed
    look = revealed or st.toggle(
        "Show the predictions before the reveal",
        key=f"cl-look-{name}",
        help="Off while the projector shows this page: whoever has not predicted yet would see what others think.",
    )
    if look:
        board_view.chart(each)
    # On a projector nobody is shown by name unless the teacher wants it.
    with st.expander("Who is where", expanded=not history.staying(), key="class-who-is-where"):
        board_view.seats(seen)
        _remove(room)


def _lesson_buttons(room: Room, name: str) -> None:
    revealed, closed = name in room.rules.revealed, name in room.rules.locked
    st.button(
        "Send the class here",
        key="class-send",
        disabled=room.rules.now == name or room.rules.ended,
        on_click=_set,
        args=(room.code,),
        kwargs={"now": name},
        icon=":material/arrow_forward:",
        help="Students see a link to this lesson as what the class does now.",
    )
    st.button(
        "Open predictions" if closed else "Close predictions",
        key="class-lock",
        disabled=room.rules.ended,
        on_click=set_rules,
        args=(room.code, lambda rules, at: ruling.close(rules, name, not closed)),
        icon=":material/lock:",
    )
    st.button(
        "Take the reveal back" if revealed else "Reveal to the class",
        key="class-reveal",
        type="secondary" if revealed else "primary",
        disabled=room.rules.ended,
        on_click=set_rules,
        args=(
            room.code,
            (lambda rules, at: ruling.unreveal(rules, name))
            if revealed
            else (lambda rules, at: ruling.reveal(rules, name, at)),
        ),
        icon=":material/visibility:",
        help="Students who have predicted may look at the answer; predictions that come later are not counted.",
    )


def _remove(room: Room) -> None:
    students = home_store().classes.students(room.code)
    there = {each.student_id: each.nickname for each in students if not each.removed}
    gone = next((s for s in students if s.removed and s.student_id == st.session_state.get(_REMOVED)), None)
    if gone:
        with st.container(border=True, horizontal=True, vertical_alignment="center", key="class-undo-row"):
            st.markdown(f"{for_markdown(gone.nickname)} was removed.")
            st.button(
                "Undo",
                key="class-undo",
                icon=":material/undo:",
                on_click=_removed,
                args=(room.code, gone.student_id, False),
            )
    if not there:
        return
    with st.popover("Remove a nickname", icon=":material/delete:", key="class-remove"):
        chosen = st.selectbox("Nickname", list(there), format_func=there.__getitem__, key="cl-remove-who")
        st.caption("The student leaves the class and can join again with another nickname. Can be undone.")
        st.button(
            "Remove",
            key="class-remove-it",
            type="primary",
            disabled=chosen not in there,
            on_click=_removed,
            args=(room.code, chosen, True),
        )


def _removed(code: str, student_id: str, removed: bool) -> None:
    st.session_state[_REMOVED] = student_id
    st.session_state.pop("cl-remove-who", None)
    try:
        home_store().classes.remove(code, student_id, removed=removed)
    except CoreError as error:
        st.session_state[_SAID] = str(error)


def _rules(room: Room, students: list[Student]) -> None:
    rules = room.rules
    switches = (
        (
            "waits",
            "Answers wait for my reveal",
            "Students see the truth of a lesson only after you reveal it.",
        ),
        (
            "anonymous",
            "Anonymous board",
            "Numbers instead of nicknames, on the board and in what you take home.",
        ),
    )
    for name, label, text in switches:
        _switch(room, name, label, text, getattr(rules, name))
    key = f"cl-paused-{room.rules_version}"
    st.session_state.setdefault(key, rules.paused)
    st.toggle(
        "Pause students' jobs",
        key=key,
        disabled=rules.ended,
        on_change=_pause,
        args=(room.code, [each.student_id for each in students], not rules.paused),
        help="No new job of a student starts; what runs finishes.",
    )
    _hidden(room)
    st.divider()
    if rules.ended:
        st.button(
            "Open the class again",
            key="class-again",
            on_click=_set,
            args=(room.code,),
            kwargs={"ended": False},
        )
        return
    with st.popover("End the class", key="class-end"):
        st.markdown("Everything can still be looked at and taken home; nothing changes any more.")
        st.button(
            "End it",
            key="class-end-it",
            type="primary",
            on_click=_set,
            args=(room.code,),
            kwargs={"ended": True},
        )


def _switch(room: Room, name: str, label: str, text: str, now: bool) -> None:
    key = f"cl-{name}-{room.rules_version}"
    st.session_state.setdefault(key, now)
    disabled = room.rules.ended and name != "anonymous"
    st.toggle(
        label,
        key=key,
        help=text,
        on_change=_set,
        args=(room.code,),
        kwargs={name: not now},
        disabled=disabled,
    )


def _pause(code: str, student_ids: list[str], paused: bool) -> None:
    _set(code, paused=paused)
    try:
        manager: JobManager = resources.manager()
        (manager.pause if paused else manager.go_on)(student_ids)
    except CoreError as error:
        st.session_state[_SAID] = str(error)


def _hidden(room: Room) -> None:
    key = f"cl-hidden-{room.rules_version}"
    names = _hidable()
    st.session_state.setdefault(key, [each for each in room.rules.hidden if each in names])
    st.multiselect(
        "Hide from students in every lesson",
        list(names),
        format_func=names.__getitem__,
        key=key,
        disabled=room.rules.ended,
        on_change=lambda: _set(room.code, hidden=tuple(st.session_state[key])),
        placeholder="Nothing is hidden",
        help="Hiding guides; whoever knows how can still reach a control.",
    )


@st.cache_resource(show_spinner=False, max_entries=1)
def _hidable() -> dict[str, str]:
    """Parts of the Learn page and controls of lessons that can be hidden: name -> what a person reads."""
    found = dict(PARTS)
    for lesson in all_lessons():
        asked = asked_of(lesson.name)
        found |= {name: f"{lesson.label} {text}" for name, text in (asked.controls if asked else {}).items()}
    return found
