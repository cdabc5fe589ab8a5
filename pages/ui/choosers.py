"""Choosers: supernet, axes, limits. Each starts from the view and returns what is chosen now."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from core.library.supernets import SupernetEntry
from core.objectives.base import objective
from core.pareto import Constraint
from core.records import Objective
from core.text import display_name, for_markdown
from core.words import format_value
from pages.ui import state
from pages.ui.front import state as front_state

if TYPE_CHECKING:
    import pandas as pd

_STEPS = 40
_WIDE = 20
_HARMLESS = re.compile(r"(?<=\w)\\([_\-])(?=\w)")


def choose_supernet(
    found: Sequence[SupernetEntry], current: str, *, key: str = "pick-supernet"
) -> SupernetEntry:
    """The supernet of this session, chosen in the sidebar.

    Args:
        found: at least one.
        current: id that the view asks for; the first supernet if there is none of this id.
        key: widget key.
    """
    by_id = {entry.supernet_id: entry for entry in found}
    start = current if current in by_id else next(iter(by_id))
    state.keep(key, by_id, start)
    chosen = st.sidebar.selectbox(
        "Supernet",
        list(by_id),
        format_func=lambda i: (
            f"{display_name(by_id[i].title)}{'' if by_id[i].origin == 'shipped' else f' ({by_id[i].origin})'}"
        ),
        key=key,
        on_change=_other_supernet,
        help="The network whose weights hold every subnet on this page.",
    )
    return by_id[chosen]


def require_images(entry: SupernetEntry, what: str) -> None:
    """End the page with one sentence where it is for images and the supernet takes other data."""
    require_data(entry, ("image",), what)


def require_data(entry: SupernetEntry, tasks: Collection[str], what: str) -> None:
    """End the page with one sentence where it is for some kinds of data and the supernet takes others."""
    if entry.task not in tasks:
        st.info(
            f"{what}, and {display_name(entry.title)} takes other data: choose another supernet at the left. "
            "Its front, its search and its downloads are on the other pages.",
            icon=":material/image_not_supported:",
        )
        st.stop()


def _other_supernet() -> None:
    chosen = st.session_state["pick-supernet"]
    front_state.show_supernet(chosen)
    st.session_state["pick-supernet"] = chosen


def choose_axis(
    label: str, axis: str, available: Sequence[Objective], current: str, default: str, taken: str = ""
) -> Objective:
    """One axis: an objective other than `taken`."""
    by_name = {o.name: o for o in available if o.name != taken}
    key = f"axis-{axis}"
    state.keep(key, by_name, next(n for n in (current, default, *by_name) if n in by_name))
    name = st.selectbox(
        label,
        list(by_name),
        format_func=lambda n: display_name(by_name[n].label),
        key=key,
        help=_meaning(available),
        width=230,
    )
    return by_name[name]


def shown(goal: Objective) -> str:
    """An objective's label inside Markdown: a column of somebody's file may be called anything.

    What is harmless within a word stays as it is: a screen reader reads the label as it is written.
    """
    return _HARMLESS.sub(r"\1", for_markdown(goal.label))


def _meaning(available: Sequence[Objective]) -> str:
    return "\n\n".join(f"**{shown(o)}**: {o.summary}" for o in available)


def choose_log(label: str, axis: str, current: bool | None, goal: Objective, table: pd.DataFrame) -> bool:
    """Whether an axis is logarithmic; until a person decides, it is where the values span much."""
    key = f"log-{axis}-{goal.name}"
    if key not in st.session_state:
        smallest, largest = float(table[goal.name].min()), float(table[goal.name].max())
        wide = not goal.maximize and smallest > 0 and largest > _WIDE * smallest
        st.session_state[key] = wide if current is None else current
    return bool(st.toggle(label, key=key))


def choose_limits(
    revision: str,
    table: pd.DataFrame,
    available: Sequence[Objective],
    current: Sequence[Constraint],
    *,
    key: str = "limit-",
) -> tuple[Constraint, ...]:
    """One slider per objective; its loose end means no limit. `key` begins the widgets' keys."""
    asked = {c.objective: c.lower if c.lower is not None else c.upper for c in current}
    found = []
    for goal in available:
        stops = _stops(revision, goal.name, table)
        if len(stops) < 2:
            continue
        loose = stops[0] if goal.maximize else stops[-1]
        own, ends = f"{key}{goal.name}", f"{key}{goal.name}-loose"
        # A table grows while it is measured: where the slider stood at its loose end, it stays there.
        moved = st.session_state.get(own) == st.session_state.get(ends, loose) != loose
        st.session_state[ends] = loose
        if st.session_state.get(own) not in stops or moved:
            wanted = asked.get(goal.name)
            st.session_state[own] = loose if wanted is None else min(stops, key=lambda s: abs(s - wanted))
        word = "at least" if goal.maximize else "at most"
        value = st.select_slider(
            f"{goal.label}, {word}",
            stops,
            key=own,
            format_func=lambda s, g=goal, edge=loose: "any" if s == edge else format_value(s, g),
            help=goal.summary,
        )
        if value != loose:
            found.append(
                Constraint(goal.name, lower=value) if goal.maximize else Constraint(goal.name, upper=value)
            )
    return tuple(sorted(found, key=lambda c: c.objective))


@st.cache_resource(show_spinner=False, max_entries=128)
def _stops(revision: str, name: str, _table: pd.DataFrame) -> list[float]:
    """Slider stops: quantiles of the column, those that read alike only once."""
    column = _table[name].dropna()
    goal = objective(name)
    values = column.to_numpy(float)
    quantiles = np.quantile(values, np.linspace(0, 1, _STEPS + 1)).tolist() if len(values) else []
    return sorted({format_value(q, goal): q for q in quantiles}.values())
