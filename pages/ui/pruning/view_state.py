"""What a session remembers of the Pruning page, and the address that reproduces it.

As on the other pages two values stand for one selection: what is selected, and what the table outlines when it
appears. A click changes the first alone, because a changed figure is a new chart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from core.library.benchmarks import CLEAN
from core.library.network_id import is_network_id
from pages.ui import state

_PREFIX = "pr-"
_ASKED, _CELL, _SEED, _SAMPLES, _EDITION = (
    "view-pruning",
    "pr-cell",
    "pr-cell-seed",
    "pr-samples",
    "pr-edition",
)
_BENCHMARK = re.compile(r"[a-z0-9_]{1,40}(@[1-5])?")
_TAB = re.compile(r"[A-Za-z ]{1,30}")
_LONGEST = 300
MIDDLE_SEVERITY = 3


@dataclass(frozen=True)
class Asked:
    """The view as an address states it; every field may be missing ("").

    Attributes:
        parent: id of the network that is pruned.
        model, benchmark: the selected cell of the table.
        compare: id of the network the selected one is compared with.
        severity: of the corruptions shown.
        tab: label of the open tab.
    """

    parent: str = ""
    model: str = ""
    benchmark: str = CLEAN
    compare: str = ""
    severity: int = MIDDLE_SEVERITY
    tab: str = ""


def parse(params: Mapping[str, str | Sequence[str]]) -> Asked:
    """The view that query parameters describe; what does not fit is left out."""

    def text(key: str) -> str:
        value = params.get(key, "")
        return (value if isinstance(value, str) else (str(value[-1]) if value else ""))[:_LONGEST]

    def model(key: str) -> str:
        return found if is_network_id(found := text(key)) else ""

    severity = text("severity")
    return Asked(
        model("parent"),
        model("model"),
        text("benchmark") if _BENCHMARK.fullmatch(text("benchmark")) else CLEAN,
        model("compare"),
        int(severity) if severity in ("1", "2", "3", "4", "5") else MIDDLE_SEVERITY,
        text("tab") if _TAB.fullmatch(text("tab")) else "",
    )


def format_view(view: Asked) -> dict[str, str]:
    """The query parameters of a view; defaults are left out."""
    values = {
        "parent": view.parent,
        "model": view.model,
        "benchmark": view.benchmark if view.benchmark != CLEAN else "",
        "compare": view.compare if view.compare != view.parent else "",
        "severity": str(view.severity) if view.severity != MIDDLE_SEVERITY else "",
        "tab": view.tab,
    }
    return {key: value for key, value in values.items() if value}


def current() -> Asked:
    """The view from the address if a link brought the visitor here, else the session's own."""
    if (params := state.arrived()) is not None:
        asked = parse(params)
        state.forget_widgets(_PREFIX)
        st.session_state[_ASKED] = asked
        if asked.model:
            select(asked.model, asked.benchmark)
    return st.session_state.setdefault(_ASKED, Asked())


def publish(view: Asked) -> dict[str, str]:
    """Keep the view and write it into the address; returns the link's parameters."""
    st.session_state[_ASKED] = view
    return state.to_address(format_view(view))


def select(model_id: str, benchmark: str) -> None:
    """Select a cell from anywhere but the table."""
    st.session_state[_CELL] = st.session_state[_SEED] = (model_id, benchmark)


def remember_click(picked: str) -> None:
    """Select the cell that was clicked; the table outlines it by itself."""
    model_id, _, benchmark = picked.partition("|")
    if model_id and benchmark:
        st.session_state[_CELL] = (model_id, benchmark)


def cell() -> tuple[str, str]:
    """(model id, benchmark) selected; ("", "clean") before anything was."""
    found: tuple[str, str] = st.session_state.get(_CELL, ("", CLEAN))
    return found


def seed_cell() -> tuple[str, str] | None:
    """The cell that the table outlines when it appears."""
    found: tuple[str, str] | None = st.session_state.get(_SEED)
    return found


def samples() -> tuple[int, ...]:
    """Ids of the samples selected on a chart."""
    return tuple(st.session_state.get(_SAMPLES, ()))


def select_samples(ids: Sequence[int]) -> None:
    """Remember samples selected on a chart."""
    st.session_state[_SAMPLES] = tuple(ids)


def clear_samples() -> None:
    """Forget them; the charts are drawn anew."""
    st.session_state[_SAMPLES] = ()
    st.session_state[_EDITION] = edition() + 1


def edition() -> int:
    """Grows whenever charts shall forget what was selected on them."""
    return int(st.session_state.get(_EDITION, 0))
