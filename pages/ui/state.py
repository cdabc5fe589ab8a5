"""What a session remembers, beyond the view of a page: who it is, widgets that start from a view."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Hashable
from typing import TypeVar

import streamlit as st

T = TypeVar("T")


def session_id() -> str:
    """A random id of this visitor's session; sessions take turns in the queue."""
    return str(st.session_state.setdefault("session", uuid.uuid4().hex))


def entered_page(name: str) -> bool:
    """Called by every page's setup; whether the visitor has just come from another page."""
    if st.session_state.get("page") == name:
        return False
    st.session_state["page"] = name
    st.session_state["visits"] = st.session_state.get("visits", 0) + 1
    return True


def is_new(key: str, what: Hashable) -> bool:
    """Whether this is not what the page showed a moment ago.

    Then a chart is drawn before what stands beside it: the browser draws while the rest is on its way. If it is on the
    screen already, the answer to a click goes first, and the chart, which is sent again, after it.
    """
    shown = (st.session_state.get("visits"), what)
    changed = st.session_state.get(key) != shown
    st.session_state[key] = shown
    return changed


def forget_widgets(prefixes: str | tuple[str, ...]) -> None:
    """Let every widget whose key starts so start from the view again."""
    for key in [str(k) for k in st.session_state]:
        if key.startswith(prefixes):
            del st.session_state[key]


def keep(key: str, allowed: Collection[T], wanted: T) -> T:
    """Before a chooser is drawn: its value, or `wanted` where it has none that is allowed."""
    if key not in st.session_state or st.session_state[key] not in allowed:
        st.session_state[key] = wanted
    value: T = st.session_state[key]
    return value


def start(key: str, wanted: T) -> T:
    """Before a widget is drawn for the first time: what it starts with."""
    value: T = st.session_state.setdefault(key, wanted)
    return value
