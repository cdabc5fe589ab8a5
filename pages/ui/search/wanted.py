"""What a search is for: objectives, limits, budget, where numbers come from. The part of the form that races share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from core.library import supernets
from core.library.coverage import can_be_whole
from core.library.searchable import Searchable, refusal, searchable
from core.library.supernets import SupernetEntry
from core.objectives.base import FromCosts, names_of, objective, objectives, usual_pair
from core.pareto import Constraint
from core.records import Objective, Run, RunState
from core.registry import PluginInfo
from core.search import ALGORITHMS
from core.settings import settings
from core.text import display_name, for_markdown
from core.words import column_label, count_of, within_sentence
from core.workflows import search_front
from pages.ui import checked, choosers, state, terms
from pages.ui.forms import field_number, number

MOST_OBJECTIVES = 4
_SUBNETS, _SECONDS = "Subnets", "Seconds"
_TIME = "Of proposing and measuring; the search ends with the batch in which they are over."


def ask(entry: SupernetEntry) -> dict[str, Any]:
    """Objectives, limits and budget, as the request names them."""
    found = searchable(entry)
    goals = _objectives(found)
    limits = _limits(entry, found, goals)
    wanted = {"supernet": entry.supernet_id, "objectives": goals, **_budget(entry)}
    if len(goals) < 2:
        checked.complain("Choose at least two objectives: one alone has no front.")
    if limits:
        wanted["constraints"] = [_bound(limit) for limit in limits]
    return wanted


def sources(entry: SupernetEntry, runs: Sequence[Run], goals: Sequence[str]) -> dict[str, Any]:
    """Where numbers come from: the complete table, and what an earlier search has measured.

    Args:
        entry: the supernet.
        runs: earlier searches and samples of it, newest first.
        goals: the objectives.
    """
    use_table = _use_table(entry)
    if why := refusal(searchable(entry), tuple(goals), use_table=use_table):
        checked.complain(why)
    return {"use_table": use_table, **_earlier(runs, goals)}


def on_cluster(info: PluginInfo, *, use_table: bool) -> dict[str, Any]:
    """Whether to ask while answers are on their way; asked only where a cluster measures, and it makes a difference."""
    if not settings().ray_address or use_table:
        return {}
    if ALGORITHMS.get(info.name).in_batches:
        st.caption(f"{info.label} learns from whole batches: each is divided among the cores of the cluster.")
        return {}
    at_once = st.toggle(
        "Ask before all of a batch are measured",
        value=True,
        key="search-in-flight",
        help="Every core of the cluster is kept busy, and what is asked next depends on which subnet was measured first. "
        "Without it each batch is divided among the cores, and the search asks for exactly what it would ask for on one "
        "machine.",
    )
    return {} if at_once else {"in_flight": 1}


def _objectives(found: Searchable) -> list[str]:
    state.start("search-objectives", list(usual_pair(found.names) or ()))
    kept = [name for name in st.session_state["search-objectives"] if name in found.names]
    st.session_state["search-objectives"] = kept or list(usual_pair(found.names) or ())
    cannot = "\n\n".join(found.why_not.values())
    goals = st.multiselect(
        "Objectives",
        found.names,
        format_func=lambda n: objective(n).label,
        key="search-objectives",
        max_selections=MOST_OBJECTIVES,
        help="Test data never steer a search.\n\n"
        + "\n\n".join(f"**{objective(n).label}**: {objective(n).summary}" for n in found.names)
        + (f"\n\nNot offered:\n\n{for_markdown(cannot, 2000)}" if cannot else ""),
    )
    if goals:
        st.caption(f"{'; '.join(map(_direction, objectives(goals)))}.")
    return list(goals)


def _direction(goal: Objective) -> str:
    better = "more is better" if goal.maximize else "less is better"
    label = column_label(goal)
    return f"{label}: {better}"


def _limits(entry: SupernetEntry, found: Searchable, goals: Sequence[str]) -> tuple[Constraint, ...]:
    """Bounds on the objectives of the search and on everything that is counted."""
    names = list(dict.fromkeys([*goals, *names_of(FromCosts, found.names)]))
    with st.expander("Limits", key="search-limits"):
        st.caption("What breaks a limit is no answer; what is counted beforehand is then not even proposed.")
        table = supernets.table_with_counts(entry)
        known = [n for n in names if table is not None and n in table]
        by_slider: tuple[Constraint, ...] = ()
        if table is not None and known:
            by_slider = choosers.choose_limits(
                entry.revision, table, objectives(known), (), key="search-limit-"
            )
        by_number = [_number(objective(n)) for n in names if n not in known]
    limits = (*by_slider, *(limit for limit in by_number if limit is not None))
    if limits:
        st.caption(f"Limited: {', '.join(within_sentence(objective(c.objective).label) for c in limits)}.")
    return limits


def _number(goal: Objective) -> Constraint | None:
    """One bound as a number in the unit that a person reads."""
    word = "at least" if goal.maximize else "at most"
    typed = st.number_input(
        f"{column_label(goal)}, {word}",
        value=None,
        key=f"search-limit-{goal.name}",
        placeholder="any",
        format="%g",
        help=goal.summary,
    )
    if typed is None:
        return None
    bound = float(typed) / goal.shown.factor
    return Constraint(goal.name, lower=bound) if goal.maximize else Constraint(goal.name, upper=bound)


def _bound(limit: Constraint) -> dict[str, Any]:
    sides = {"lower": limit.lower, "upper": limit.upper}
    return {"objective": limit.objective} | {side: v for side, v in sides.items() if v is not None}


def _budget(entry: SupernetEntry) -> dict[str, Any]:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        unit = st.segmented_control(
            "Budget in",
            [_SUBNETS, _SECONDS],
            default=_SUBNETS,
            required=True,
            key="search-budget-in",
            help="Different subnets to measure, or seconds of proposing and measuring. By seconds a slow algorithm "
            "measures fewer subnets.",
        )
        if unit == _SECONDS:
            _, most = checked.bounds(search_front.Request.model_fields["seconds"])
            seconds = number("Seconds", (1, int(most)), value=30, step=10, key="search-seconds", help=_TIME)
            return {"budget": _largest_budget(entry), "seconds": float(seconds)}
        budget = field_number(
            search_front.Request,
            "budget",
            "Budget (subnets)",
            value=min(400, entry.space.size),
            step=50,
            key="search-budget",
            help="Different subnets to measure.",
        )
    return {"budget": int(budget)}


def _largest_budget(entry: SupernetEntry) -> int:
    _, most = checked.bounds(search_front.Request.model_fields["budget"])
    return min(entry.space.size, most)


def _use_table(entry: SupernetEntry) -> bool:
    if entry.read_table is None:
        hint = (
            "The Front page makes one."
            if can_be_whole(entry.space)
            else f"With {count_of(entry.space.size, 'subnet')} it is too large for one."
        )
        st.caption(
            f"{for_markdown(display_name(entry.title))} has no complete table, so every subnet that is proposed is measured. {hint}"
        )
        return True
    return st.toggle(
        "Use the complete table",
        value=True,
        key="search-table",
        help="Look numbers up instead of measuring them again: seconds instead of minutes, and the same answer. "
        "Seconds of the race are then those of proposing.",
    )


def _earlier(runs: Sequence[Run], goals: Sequence[str]) -> dict[str, Any]:
    """Warm start from an earlier search that measured the same objectives."""
    fitting = {
        run.run_id: run
        for run in runs
        if run.state is not RunState.QUEUED and set(goals) <= set(run.params.get("objectives") or ())
    }
    if not fitting:
        terms.caption(
            "A search may begin with what an earlier one, or a sample, of this supernet measured; there is none yet."
        )
        return {}
    state.keep("search-warm", ["", *fitting], "")
    chosen = st.selectbox(
        "Begin with what was measured by",
        ["", *fitting],
        format_func=lambda i: display_name(fitting[i].title) if i else "nothing",
        key="search-warm",
        help="A warm start: the algorithm knows that search's subnets from the beginning, and they cost nothing.",
    )
    return {"from_runs": [chosen]} if chosen else {}
