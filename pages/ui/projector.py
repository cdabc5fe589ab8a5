"""Projector mode: a compact head and larger texts, for a class. A switch in the menu, and `projector=1` in a link."""

from __future__ import annotations

import streamlit as st

from pages.ui import history

_SWITCH = "projector-mode"


def is_on() -> bool:
    """Whether texts are larger for this visitor."""
    return bool(st.session_state.get(history.STAYS))


def switch() -> bool:
    """Draw the switch into the sidebar and keep the address with it; whether the mode is on."""
    kept = bool(st.session_state.setdefault(history.STAYS, st.query_params.get(history.STAYS) == "1"))
    # A page that is entered would start its switch anew.
    st.session_state[_SWITCH] = kept
    st.sidebar.toggle(
        "Projector mode",
        key=_SWITCH,
        on_change=_switched,
        help="Larger texts and less around them; the page is loaded anew. While it is on, the key **M** hides the menu and "
        "brings it back.",
    )
    history.write_staying()
    return kept


def _switched() -> None:
    st.session_state[history.STAYS] = st.session_state[_SWITCH]
