"""What the card offers beyond its numbers: change a choice, see the neighbors, compare, what each choice costs."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import CoreError
from core.library import fronts as front_view
from core.library.coverage import Coverage
from core.library.evaluate_subnet import evaluate_subnet
from core.library.evaluations import obtained_at
from core.library.fronts import Front
from core.library.supernets import SupernetEntry
from core.objectives.base import objective
from core.records import Objective, Obtained, Source
from core.spaces import Arch, Choice, SearchSpace
from core.spaces.choice import Option
from core.text import display_name, for_markdown
from core.words import format_count, format_value
from pages.ui import baskets, history, resources
from pages.ui.front import chance, files, state
from pages.ui.front.subnet_card import deltas
from pages.ui.state import forget_widgets
from pages.ui.tables import html_table

if TYPE_CHECKING:
    import pandas as pd

_CHOOSER_WIDTH = 132
_CHANGED = "pick-if-"
_OF, _BEFORE, _EDITION = "what-if-of", "what-if-before", "what-if-edition"
_AS_GOOD = "As good and cheaper"
_KNEES = {"distance": "Knee", "utility": "Knee by utility"}


@dataclass(frozen=True)
class Shown:
    """The table a page shows, with what looking things up in it needs.

    Attributes:
        entry: the supernet.
        revision: changes whenever the table does.
        table: see `library.table`.
        goals: objectives the table has.
        at: where each subnet stands in the table.
        columns: each objective's values in the table's order.
        texts: descriptions made so far, shared by all sessions.
    """

    entry: SupernetEntry
    revision: str
    table: pd.DataFrame
    goals: tuple[Objective, ...]
    at: Mapping[str, int]
    columns: Mapping[str, Sequence[float]]
    texts: dict[tuple[str, ...], str]

    @classmethod
    def of(
        cls, entry: SupernetEntry, revision: str, table: pd.DataFrame, goals: Sequence[Objective]
    ) -> Shown:
        columns = resources.columns(revision, tuple(g.name for g in goals), table)
        at = resources.rows(revision, table)
        return cls(entry, revision, table, tuple(goals), at, columns, _texts(revision))

    def holds(self, arch_id: str) -> bool:
        return arch_id in self.at

    def row(self, arch_id: str) -> dict[str, float]:
        """Objective values of a subnet of the table."""
        at = self.at[arch_id]
        return {name: values[at] for name, values in self.columns.items()}

    def obtained(self, arch_id: str) -> Mapping[str, Obtained]:
        """How the values of a subnet of the table were obtained."""
        names = [goal.name for goal in self.goals]
        return obtained_at(self.table, self.at[arch_id], names, Obtained(Source.MEASURED))

    def values(self, arch: Arch) -> Mapping[str, float]:
        """Objective values of any subnet: from the table, else measured now.

        Raises:
            CoreError: it is not in the table and cannot be measured here.
        """
        arch_id = self.entry.space.arch_id(arch)
        return self.row(arch_id) if self.holds(arch_id) else _measured(self.entry.sha256, arch, self.entry)


@st.cache_resource(show_spinner="Measuring this subnet…", max_entries=512)
def _measured(sha256: str, arch: Arch, _entry: SupernetEntry) -> Mapping[str, float]:
    return dict(evaluate_subnet(_entry, arch).values)


Tried = tuple[Arch, Mapping[str, float]] | None
"""A changed subnet and its values; None while nothing is changed."""


def tried(shown: Shown, arch: Arch) -> Tried:
    """What the choosers of `try_changes` hold, also before they are drawn; None where it cannot be measured."""
    try:
        return _tried(shown, arch)
    except CoreError:
        return None


def _tried(shown: Shown, arch: Arch) -> Tried:
    _start_from(shown.entry.space.arch_id(arch))
    target = _target(shown.entry.space, arch)
    return None if target == arch else (target, shown.values(target))


def _target(space: SearchSpace, arch: Arch) -> Arch:
    """The subnet with the options that the choosers hold."""
    options: dict[str, object] = {}
    for choice in space.choices:
        held = st.session_state.get(_key(choice))
        if held in choice.options and space.is_active(front_view.changed(space, arch, options), choice.name):
            options[choice.name] = held
    return front_view.changed(space, arch, options)


def try_changes(shown: Shown, arch: Arch) -> None:
    """One chooser per choice that matters now, and what the changes do."""
    space = shown.entry.space
    st.caption("Change a choice: a star shows on the chart where the subnet would move.")
    try:
        found = _tried(shown, arch)
    except CoreError as error:
        st.warning(for_markdown(error, 600))
        found = None
    target = _target(space, arch)
    with st.container(horizontal=True, gap="small", key="what-if-choices"):
        for choice in space.choices:
            if space.is_active(target, choice.name) and len(choice.options) > 1:
                _choose(choice, space.option(target, choice.name))
    if found is None:
        return
    here, there = shown.values(arch), found[1]
    names = [g.name for g in shown.goals[:4] if g.name in there and g.name in here]
    st.html(deltas({name: there[name] - here[name] for name in names}))
    with st.container(horizontal=True):
        st.button(
            "Take this subnet",
            key="what-if-take",
            on_click=state.select,
            args=(space.arch_id(target),),
            icon=":material/check:",
        )
        st.button("Undo", key="what-if-undo", on_click=_undo, icon=":material/undo:")


def _choose(choice: Choice, now: Option) -> None:
    """A chooser whose key is the same for every subnet: it stays where it is and takes another value."""
    key = _key(choice)
    if st.session_state.get(key) not in choice.options:
        st.session_state[key] = now
    st.selectbox(choice.name, choice.options, key=key, width=_CHOOSER_WIDTH)


def ghost(
    tried: Tried, values: Mapping[str, float], x: Objective, y: Objective
) -> tuple[tuple[float, float] | None, tuple[float, float] | None]:
    """(x, y) of the tried subnet and of the one it comes from; None where nothing is tried."""
    if tried is None or not {x.name, y.name} <= set(tried[1]):
        return None, None
    return (tried[1][x.name], tried[1][y.name]), (float(values[x.name]), float(values[y.name]))


def knee_buttons(front: Front, covered: Coverage) -> None:
    """One button per knee of the front, that selects it."""
    of = "" if covered.complete else f" Of the {format_count(covered.measured)} measured subnets alone."
    meanings = {
        "distance": "The subnet farthest from the straight line between the front's ends: beyond it, gains get dear.",
        "utility": "The subnet whose loss would hurt most people, whatever weight they give the objectives.",
    }
    for name, member in front.knees.items():
        st.button(
            _KNEES.get(name, name),
            key=f"knee-{name}",
            on_click=state.select,
            args=(member,),
            icon=":material/diamond:",
            help=meanings.get(name, "") + of,
        )


def _key(choice: Choice) -> str:
    return f"{_CHANGED}{st.session_state.get(_EDITION, 0)}-{choice.name}"


def _start_from(arch_id: str) -> None:
    """Of another subnet the choosers hold nothing yet. A browser that has not heard of it says what they held before."""
    if st.session_state.get(_OF) != arch_id:
        held = {str(key): st.session_state[key] for key in st.session_state if str(key).startswith(_CHANGED)}
        st.session_state[_OF], st.session_state[_BEFORE] = arch_id, held
        forget_widgets(_CHANGED)
    elif history.is_behind():
        for key, value in st.session_state.get(_BEFORE, {}).items():
            if key in st.session_state and st.session_state[key] == value:
                del st.session_state[key]


def _undo() -> None:
    """Choosers that are others: whatever is pressed next still says what these hold, if the browser has not heard."""
    forget_widgets(_CHANGED)
    st.session_state[_EDITION] = st.session_state.get(_EDITION, 0) + 1


def neighbors(shown: Shown, front: Front, arch_id: str, as_good: tuple[str, str] = ("", "")) -> None:
    """The front's members next to the subnet, with what moving there changes.

    Args:
        shown, front: of the page.
        arch_id: the subnet.
        as_good: what is as good and cheaper, and why; "" for nothing.
    """
    below, above = front_view.neighbors_on_front(front, arch_id)
    if below is None and above is None:
        st.caption("This subnet has no neighbors on this front: it does not meet the limits, or it is alone.")
        return
    here = shown.row(arch_id)
    good, why = as_good
    best = [(_AS_GOOD, ":material/keyboard_double_arrow_left:", good)] if good else []
    for word, icon, other in (
        *best,
        ("Cheaper", ":material/arrow_back:", below),
        ("Costlier", ":material/arrow_forward:", above),
    ):
        if other is None:
            st.caption(f"{word}: there is none, this is the end of the front.")
            continue
        there = shown.row(other)
        changes = {n: there[n] - here[n] for n in front.names}
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(word, key=f"neighbor-{word}", icon=icon, on_click=state.select, args=(other,))
            st.html(deltas(changes, why if word == _AS_GOOD else ""))


def choice_costs(shown: Shown, arch: Arch, goals: Sequence[Objective]) -> None:
    """What changing each single choice would do, as a table."""
    rows = _effects(shown.revision, arch, tuple(g.name for g in goals), shown)
    if not rows:
        st.caption("No subnet that differs from this one in a single choice was measured yet.")
        return
    st.caption("Each row changes one choice and leaves the others.")
    html_table(rows, "What changing each choice would do")


@st.cache_resource(show_spinner=False, max_entries=256)
def _effects(revision: str, arch: Arch, names: tuple[str, ...], _shown: Shown) -> list[dict[str, str]]:
    effects = front_view.choice_effects(_shown.entry.space, _shown.table, arch, names)
    goals = [objective(name) for name in names]
    return [
        {"change": f"{row['choice']} → {row['option']}"}
        | {g.label: format_value(row[g.name], g, signed=True) for g in goals}
        for row in effects.to_dict("records")
    ]


def compare(shown: Shown, front: Front, arch: Arch, sure: chance.FrontSure) -> None:
    """Another subnet beside this one: the choices that differ, the differences of the numbers, and how sure they are."""
    space, arch_id = shown.entry.space, shown.entry.space.arch_id(arch)
    others = [
        i
        for i in dict.fromkeys(
            [*baskets.arch_ids(shown.entry.supernet_id), *front.knees.values(), *front.members["arch_id"]]
        )
        if i != arch_id
    ]
    if not others:
        st.caption("There is no other subnet to compare with.")
        return
    other_id = st.selectbox(
        "Compare with", others, format_func=lambda i: describe(shown, i, front.names), key="compare-with"
    )
    other = space.from_id(other_id)
    here, there = shown.values(arch), shown.values(other)
    rows = []
    for name in space.names:
        a, b = space.to_dict(arch).get(name, "–"), space.to_dict(other).get(name, "–")
        if a != b:
            rows.append({"": name, "this": a, "other": b, "difference": ""})
    for g in shown.goals:
        if g.name in here and g.name in there:
            change = format_value(there[g.name] - here[g.name], g, signed=True)
            rows.append(
                {
                    "": g.label,
                    "this": format_value(here[g.name], g),
                    "other": format_value(there[g.name], g),
                    "difference": change,
                }
            )
    html_table(rows, "This subnet and the other one")
    for name in sure.samples.by_name:
        chance.compare(sure, arch_id, other_id, name)
    files.comparison(rows, arch_id, other_id)


def describe(shown: Shown, arch_id: str, names: Sequence[str]) -> str:
    """One subnet in a list: its two numbers and its id."""
    key = (arch_id, *names)
    if key not in shown.texts:
        shown.texts[key] = _described(shown, arch_id, names)
    return shown.texts[key]


@st.cache_resource(show_spinner=False, max_entries=32)
def _texts(revision: str) -> dict[tuple[str, ...], str]:
    """Descriptions made so far: a list of the front asks for each of them at every click."""
    return {}


def _described(shown: Shown, arch_id: str, names: Sequence[str]) -> str:
    if not shown.holds(arch_id):
        return display_name(arch_id)
    values, (x, y) = shown.row(arch_id), (objective(n) for n in names[:2])
    unit = "" if x.shown.symbol else f" {x.label}"
    return f"{format_value(values[y.name], y)} · {format_value(values[x.name], x)}{unit} · {arch_id}"


def choices_line(entry: SupernetEntry, arch: Arch) -> None:
    """The choices of a subnet in one line."""
    parts = [
        f"{html.escape(name)} <b>{html.escape(str(value))}</b>"
        for name, value in entry.space.to_dict(arch).items()
    ]
    st.html(f'<div class="ps-facts">{"".join(f"<span>{p}</span>" for p in parts)}</div>')


def facts(front: Front, x: Objective, y: Objective, covered: Coverage) -> None:
    """How many subnets are on the front, and its hypervolume."""
    of = "subnets" if covered.complete else f"measured subnets of {format_count(covered.size)}"
    alone = "" if covered.complete else " of what was measured; the exact front's is at least as large"
    st.markdown(
        f"**{format_count(len(front.members))}** on the front of **{format_count(len(front.table))}** {of}",
        help=f"Hypervolume {front.hypervolume:.4g}{alone}, against the reference point "
        f"{format_value(front.reference[0], x)}, {format_value(front.reference[1], y)}.",
    )
    if front.left_out:
        st.caption(front.left_out)
