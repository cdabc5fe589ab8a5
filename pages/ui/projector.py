"""Projector mode: a compact head and larger texts, for a class. A switch in the menu, and `projector=1` in a link."""

from __future__ import annotations

import streamlit as st

PARAM = "projector"
_KEPT = "projecting"
_SWITCH = "projector-mode"


def switch() -> bool:
    """Draw the switch into the sidebar and keep the address with it; whether the mode is on."""
    kept = bool(st.session_state.setdefault(_KEPT, st.query_params.get(PARAM) == "1"))
    # A page that is entered would start its switch anew.
    st.session_state[_SWITCH] = kept
    st.sidebar.toggle(
        "Projector mode",
        key=_SWITCH,
        on_change=_switched,
        help="Larger texts and less around them. While it is on, the key **M** hides the menu and brings it back.",
    )
    _write()
    return kept


def _switched() -> None:
    st.session_state[_KEPT] = st.session_state[_SWITCH]


def _write() -> None:
    """Say in the address whether the mode is on, so that a bookmark brings it back."""
    on = bool(st.session_state.get(_KEPT))
    if on and st.query_params.get(PARAM) != "1":
        st.query_params[PARAM] = "1"
    elif not on and PARAM in st.query_params:
        del st.query_params[PARAM]


def link() -> dict[str, str]:
    """What a link needs to show the mode that is on."""
    return {PARAM: "1"} if st.session_state.get(_KEPT) else {}
