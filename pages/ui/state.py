"""What a session remembers of the Front page: the view and the selected subnet.

Two ids stand for one selection. `sel_id` is what is selected. `seed_id` is what the chart draws as
selected when it appears; it changes only when something other than the chart selects, because a
changed figure loses its zoom, while a click moves the highlight in the browser by itself.
"""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from pages.ui.address import View, format_view, parse

_PREFIXES = ("axis-", "log-", "limit-", "pick-")
_RECENT = 6


def current_view() -> View:
    """The view from the address if a link brought the visitor here, else the session's own."""
    if (params := arrived()) is not None:
        view = parse(params)
        forget_widgets()
        st.session_state["view"] = view
        st.session_state["sel_id"] = st.session_state["seed_id"] = view.sid
    return st.session_state.setdefault("view", View())


def current_supernet() -> str:
    """Id of the supernet that the Front page shows, "" for the first."""
    view: View = st.session_state.get("view", View())
    return view.supernet


def publish(view: View) -> dict[str, str]:
    """Keep the view and write it into the address; returns the link's parameters."""
    view = replace(view, sid=selected())
    st.session_state["view"] = view
    return to_address(format_view(view))


def arrived() -> dict[str, str] | None:
    """The query parameters of a link that brought the visitor here, None where the address is our own."""
    params = st.query_params.to_dict()
    recent: list[dict[str, str]] = st.session_state.setdefault("published", [])
    # A quick second click may still carry the address from before the first: it is ours as well.
    if not params or params in recent:
        return None
    recent.append(params)
    return params


def to_address(wanted: dict[str, str]) -> dict[str, str]:
    """Write a view's parameters into the address, and know them again; returns them."""
    if st.query_params.to_dict() != wanted:
        st.query_params.from_dict(wanted)
    recent: list[dict[str, str]] = st.session_state.setdefault("published", [])
    if wanted not in recent:
        recent.append(wanted)
        del recent[:-_RECENT]
    return wanted


def forget_widgets(prefixes: str | tuple[str, ...] = _PREFIXES) -> None:
    """Let every chooser whose key starts so start from the view again."""
    for key in [str(k) for k in st.session_state]:
        if key.startswith(prefixes):
            del st.session_state[key]


def entered_page(name: str) -> None:
    """Called by every page's setup: the address a visitor brings to another page counts as new."""
    if st.session_state.get("page") != name:
        st.session_state["page"] = name
        st.session_state["published"] = []


def selected() -> str:
    """`arch_id` of the selected subnet, "" for none."""
    return str(st.session_state.get("sel_id", ""))


def select(arch_id: str) -> None:
    """Select from anywhere but the chart: the chart appears anew with this subnet highlighted."""
    st.session_state["sel_id"] = st.session_state["seed_id"] = arch_id


def seed() -> str:
    """`arch_id` that the chart highlights when it appears."""
    return str(st.session_state.get("seed_id", ""))


def basket() -> list[str]:
    """`arch_id`s put aside, in order; of the current supernet."""
    baskets: dict[str, list[str]] = st.session_state.setdefault("baskets", {})
    return baskets.setdefault(st.session_state.get("basket-of", ""), [])
