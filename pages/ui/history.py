"""The browser's history: Back undoes the last pick, Forward does it again.

Streamlit 1.67 pushes an entry whenever the query parameters change, and answers Back and Forward with a run
of the page that carries the entry's parameters and says so (`is_history_navigation`); during such a run it
replaces instead of pushing. So a pick is an entry by itself. What a page adds to the address it was opened
by is none: it is marked, and a few lines in the page itself (assets/look/look.js) put it in the entry's
place.
"""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

MARK = {"replace": "1"}
"""Written last into an address that takes the entry's place; the script in the page takes it out again."""

STAYS = "projector"
"""A parameter that is no part of any view: the mode of the screen (`pages.ui.projector`). The session keeps it, too."""

_RECENT = 6
_HERE, _WRITTEN, _OPENING = "address-here", "address-written", "address-opening"


def arrived() -> dict[str, str] | None:
    """The parameters that a link, Back or Forward brought the visitor to; None where the address is our own."""
    params = {key: text for key, text in st.query_params.to_dict().items() if key not in (*MARK, STAYS)}
    here = st.session_state.get(_HERE)
    # Back to where a page's address says nothing is back to the page as it opens.
    if params == here or (not params and not (here and _went_through_history())):
        return None
    # A quick second click still carries the address from before the first: it is ours, and no way back.
    if is_behind():
        return None
    st.session_state[_HERE], st.session_state[_OPENING] = params, True
    _remember(params)
    return params


def is_behind() -> bool:
    """Whether the browser had not seen the last answer when it asked: its address and its choosers are from before."""
    params = {key: text for key, text in st.query_params.to_dict().items() if key not in (*MARK, STAYS)}
    here = st.session_state.get(_HERE)
    return here is not None and params != here and params in _written() and not _went_through_history()


def write(params: Mapping[str, str]) -> bool:
    """Show the address of what the page shows now: a new entry after a pick, else in place of the one opened.

    Returns:
        Whether somebody picked something.
    """
    wanted, opening = dict(params), bool(st.session_state.get(_OPENING, True))
    changed = wanted != st.session_state.get(_HERE, {})
    if changed:
        st.query_params.from_dict({**wanted, **staying(), **(MARK if opening else {})})
        st.session_state[_HERE] = wanted
        _remember(wanted)
    picked()
    return changed and not opening


def staying() -> dict[str, str]:
    """What every address has while the mode is on."""
    return {STAYS: "1"} if st.session_state.get(STAYS) else {}


def write_staying() -> None:
    """Say in the address whether the mode is on, so that a bookmark brings it back; going back leaves the mode alone."""
    params = st.query_params.to_dict()
    if params.get(STAYS, "") != staying().get(STAYS, ""):
        others = {key: text for key, text in params.items() if key not in (*MARK, STAYS)}
        st.query_params.from_dict({**others, **staying(), **MARK})


def picked() -> None:
    """From now on a change of the address is a person's."""
    st.session_state[_OPENING] = False


def enter() -> None:
    """Another page was entered: whatever address it has counts as new."""
    st.session_state[_WRITTEN], st.session_state[_OPENING] = [], True
    st.session_state.pop(_HERE, None)


def _went_through_history() -> bool:
    context = get_script_run_ctx(suppress_warning=True)
    return context is not None and context.is_history_navigation


def _written() -> list[dict[str, str]]:
    found: list[dict[str, str]] = st.session_state.setdefault(_WRITTEN, [])
    return found


def _remember(params: dict[str, str]) -> None:
    recent = _written()
    if params in recent:
        recent.remove(params)
    recent.append(params)
    del recent[:-_RECENT]
