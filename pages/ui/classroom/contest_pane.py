"""The contest: the leaderboard, the teacher's budget, a student's tries."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress

import streamlit as st

from core.classes import board, contest
from core.errors import CoreError
from core.lessons.base import SUPERNET
from core.store.class_rows import TRIES, Contest, Entry, Room, Rules
from core.text import display_name, for_markdown
from core.words import format_count, format_share
from pages.ui import resources, state
from pages.ui.classroom.member import Member
from pages.ui.front import state as front
from pages.ui.home_store import home_store
from pages.ui.tables import html_table

_SAID, _ENTERED = "class-contest-said", "class-entered"


def for_teacher(room: Room) -> None:
    """Open or close a contest; the leaderboard."""
    _say()
    held = contest.current(room.rules)
    if held and held.open:
        _about(held)
        st.button("Close the contest", key="class-contest-close", on_click=_close, args=(room.code,))
    else:
        with st.form("class-contest-form", border=False):
            budget = st.number_input(
                "Budget in MACs",
                min_value=1,
                max_value=10**9,
                value=held.budget if held else contest.DEFAULT_BUDGET,
                step=10_000,
                key="class-budget",
                width=240,
                help="Multiply-accumulate operations that a subnet may need at most. The lessons' subnets need 8 to 291 thousand.",
            )
            if st.form_submit_button(
                "Open a contest", key="class-contest", type="primary", disabled=room.rules.ended
            ):
                _open(room.code, int(budget))
                st.rerun()
    if held:
        st.subheader(f"Leaderboard of contest {held.number}", anchor=False)
        _leaderboard(room, held)
    st.caption(contest.HIDDEN)


def for_student(member: Member) -> None:
    """Enter a subnet; one's own tries; the leaderboard."""
    _say()
    held = contest.current(member.rules)
    if held is None:
        st.caption("No contest has been opened yet.")
        return
    _about(held)
    mine = [
        each
        for each in home_store().class_work.entries(member.student.code)
        if (each.contest, each.student_id) == (held.number, member.student.student_id)
    ]
    if held.open and len(mine) < TRIES and not member.rules.ended:
        _enter_form(member, held, len(mine))
    elif held.open:
        st.caption(f"Your {TRIES} tries are used.")
    else:
        st.caption("This contest is closed.")
    if mine:
        st.subheader("My tries", anchor=False)
        html_table([_try(each) for each in mine], "My tries")
    st.subheader("Leaderboard", anchor=False)
    _leaderboard(home_store().classes.get(member.student.code), held)
    st.caption(contest.HIDDEN)


def _about(held: Contest) -> None:
    st.markdown(
        f"**Contest {held.number}: which subnet of at most {format_count(held.budget)} MACs gets most hidden images right?** "
        f"{TRIES} tries each; the server judges. Equal results are ordered by fewer MACs."
    )


def _say() -> None:
    if said := st.session_state.pop(_SAID, ""):
        st.warning(for_markdown(said, 600), icon=":material/error:")
    if done := st.session_state.pop(_ENTERED, ""):
        st.success(for_markdown(done, 300), icon=":material/check:")


def _open(code: str, budget: int) -> None:
    _set(code, lambda rules, at: contest.opened(rules, budget))
    held = contest.current(home_store().classes.get(code).rules)
    if held is not None:
        threading.Thread(target=_prepare, args=(held.seed,), name="contest", daemon=True).start()


def _prepare(seed: int) -> None:
    with suppress(CoreError):  # whoever enters a subnet is told
        contest.prepare(seed)


def _close(code: str) -> None:
    _set(code, lambda rules, at: contest.closed(rules))


def _set(code: str, change: Callable[[Rules, int], Rules]) -> None:
    try:
        home_store().classes.set_rules(code, change)
    except CoreError as error:
        st.session_state[_SAID] = str(error)


def _enter_form(member: Member, held: Contest, used: int) -> None:
    with st.form("class-enter-form", border=True):
        offered = {SUPERNET: SUPERNET, **_own_supernets()}
        supernet = SUPERNET
        if len(offered) > 1:
            shown = front.current_supernet()
            state.keep("class-entry-supernet", offered, shown if shown in offered else SUPERNET)
            supernet = st.selectbox(
                "Supernet", list(offered), format_func=offered.__getitem__, key="class-entry-supernet"
            )
        # Who comes from the Front page finds what was picked there.
        state.start("class-entry", front.selected() if front.current_supernet() in offered else "")
        arch_id = st.text_input(
            "Id of the subnet",
            key="class-entry",
            max_chars=64,
            placeholder="pick one on the Front page",
            autocomplete="off",
            help="Pick a subnet under the budget on the Front page: its id stands here when you come back.",
        )
        if st.form_submit_button(f"Enter (try {used + 1} of {TRIES})", key="class-enter-it", type="primary"):
            _enter(member, supernet, arch_id.strip())
            st.rerun()
    st.page_link(
        "pages/front.py",
        label="Find a subnet on the Front page",
        icon=":material/arrow_forward:",
        query_params={"supernet": SUPERNET, "x": "macs", "y": "accuracy", "limits": f"macs<={held.budget}"},
    )


def _own_supernets() -> dict[str, str]:
    """Supernets of this student's sandbox: id -> title."""
    found = {}
    for entry in resources.entries():
        if entry.origin != "shipped":
            found[entry.supernet_id] = display_name(entry.title)
    return found


def _enter(member: Member, supernet: str, arch_id: str) -> None:
    try:
        with st.spinner("The server judges your subnet…"):
            entry = contest.entered(home_store(), resources.store(), member.student, supernet, arch_id)
    except CoreError as error:
        st.session_state[_SAID] = str(error)
        return
    st.session_state[_ENTERED] = f"{arch_id} gets {_share(entry)} of the hidden images right."


def _share(entry: Entry) -> str:
    return "being judged" if entry.accuracy is None else format_share(entry.accuracy, 1)


def _try(entry: Entry) -> Mapping[str, str]:
    return {
        "try": str(entry.attempt),
        "subnet": entry.arch_id,
        "hidden images right": _share(entry),
        "MACs": format_count(entry.macs),
    }


def _leaderboard(room: Room, held: Contest) -> None:
    students = [each for each in home_store().classes.students(room.code) if not each.removed]
    shown = board.names(room, students)
    places = [
        each
        for each in contest.leaderboard(home_store().class_work.entries(room.code), held.number)
        if each.best.student_id in shown
    ]
    if not places:
        st.caption("No network has been entered yet.")
        return
    rows = [
        {
            "place": str(each.rank),
            "student": shown[each.best.student_id],
            "hidden images right": _share(each.best),
            "MACs": format_count(each.best.macs),
            "tries": str(each.tries),
        }
        for each in places
    ]
    with st.container(key="class-leaders"):
        html_table(rows, "Leaderboard")
