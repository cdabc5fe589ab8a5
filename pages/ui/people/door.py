"""What a page shows of who the visitor is: the name in the menu, the log-in, and the reason beside what is locked."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.errors import CoreError
from core.people import NOBODY, Action, Person, Role, told_apart, why_not
from core.people.asking import policy
from core.store.audit import REFUSED
from core.text import for_markdown
from pages.ui.home_store import home_store
from pages.ui.people import asker, visitor

_WHO = "people-who"
_MAY = {
    Role.NONE: "You have no access here.",
    Role.LOOK: "You may see and download everything here.",
    Role.RUN: "You may start runs, upload, and change what is your own.",
    Role.ADMINISTER: "You may change everything here.",
}


def begin() -> None:
    """Before anything is drawn: forget what somebody else typed and chose in this session."""
    who = asker.asking() if told_apart() else None
    if who is not None and st.session_state.get(_WHO, who.id) != who.id:
        st.session_state.clear()


def enter(*, for_anybody: bool = False) -> None:
    """At the head of every page: say who the visitor is, and end the page of who may not look.

    Args:
        for_anybody: this page is for those who are not known, too.
    """
    if not told_apart():
        return
    who = asker.asking()
    if who is None:  # a student, or the server's own first visit
        return
    if _WHO not in st.session_state:
        st.session_state[_WHO] = who.id
        _write_down(who)
    _in_the_menu(who)
    reason = why_not(who, Action.LOOK)
    if reason and not for_anybody:
        st.warning(for_markdown(reason, 600), icon=":material/lock:")
        if who.id:
            st.caption(f"You are known here as {for_markdown(who.id, 220)}.")
        _buttons(who)
        st.stop()


def lock(
    action: Action, *, own: bool = True, disabled: bool = False, help: str | None = None
) -> dict[str, Any]:
    """`disabled` and `help` of the widget that does something: locked, with the reason, where the visitor may not.

    Args:
        action: what it does.
        own: whether to what is the visitor's own, or nobody's.
        disabled: whether it is off for another reason.
        help: its help where it may be used.
    """
    reason = why_not(asker.asking(), action, own=own) if told_apart() else ""
    return {"disabled": disabled or bool(reason), "help": reason or help}


def may(action: Action, *, own: bool = True) -> bool:
    """Whether the visitor may do something, to what is their own (or nobody's in particular) or not."""
    return not told_apart() or not why_not(asker.asking(), action, own=own)


def uploader(label: str, *, help: str | None = None, **widget: Any) -> Any:
    """`st.file_uploader`; locked, and without a file whatever was sent, where the visitor may not upload."""
    locked = not may(Action.UPLOAD)
    found = st.file_uploader(label, **lock(Action.UPLOAD, help=help), **widget)
    if locked:
        return [] if widget.get("accept_multiple_files") else None
    return found


def is_own(run_id: str) -> bool:
    """Whether a run is the visitor's; of any visitor's where people are not told apart."""
    who = asker.asking() if told_apart() else None
    if who is None:
        return True
    owner = home_store().owners.of(run_id)
    return owner is not None and owner.id == who.id


def _in_the_menu(who: Person) -> None:
    if who.id:
        role = policy().rights(who).role
        # In two pieces, or an address becomes a link that writes a letter.
        name, at, place = str(who).partition("@")
        shown = f"**{for_markdown(name)}**{for_markdown(at + place)}" if name else for_markdown(who)
        st.sidebar.caption(f"{shown} · {role.word}. {_MAY[role]}")
        if who.known == "openid":
            st.sidebar.button("Log out", key="people-out", on_click=_out, icon=":material/arrow_upward:")
    elif not why_not(who, Action.LOOK):
        with st.sidebar:
            _buttons(who)


def _buttons(who: Person) -> None:
    """The log-ins there are, for who is not known yet."""
    if who.id:
        return
    for name in visitor.log_ins():
        st.button(
            f"Log in with {name}" if name else "Log in",
            key=f"people-in-{name}",
            on_click=_in,
            args=(name,),
            icon=":material/arrow_forward:",
        )


def _in(name: str) -> None:
    st.login(name or None)


def _out() -> None:
    who = asker.asking()
    if who is not None and who.id:
        _add(who, "log out")
    st.logout()


def _write_down(who: Person) -> None:
    if who.id:
        _add(who, "log in")


def _add(who: Person, action: str) -> None:
    try:
        home_store().audit.add(who, action)
    except CoreError as error:
        st.toast(for_markdown(error, 600), icon=":material/error:")


def header_was_refused() -> None:
    """Somebody sent the header that names who asks and is no trusted proxy."""
    try:
        home_store().audit.add(NOBODY, "name themselves by a header", REFUSED)
    except CoreError:
        return
