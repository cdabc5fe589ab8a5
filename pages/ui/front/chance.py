"""How sure the front is, on the page: what is said at once, what is computed after the page was drawn, the table.

Nothing of this keeps a chart waiting. What is shipped or was computed before is drawn with it; the rest is computed in
a thread of the server, started a second after the page is there, and the page is drawn once more when it is known.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st

from core.library import chance as chance_of
from core.library import correct
from core.library.chance import FrontChance, Unknown
from core.library.fronts import Front
from core.library.supernets import SupernetEntry
from core.objectives.base import objective
from core.pareto import Constraint
from core.people import Action
from core.plots.front_chance import ChanceMarks, marks
from core.records import Objective
from core.text import for_markdown
from core.views import chance as words_of
from core.views.chance import Samples
from core.words import format_share
from pages.ui import resources
from pages.ui.front import closer_measured, state
from pages.ui.people import door
from pages.ui.setup import note
from pages.ui.supernets.measuring import evaluate
from pages.ui.tables import html_table

if TYPE_CHECKING:
    import pandas as pd

TAB = "How sure"
_KNEES = {"distance": "Knee", "utility": "Knee by utility"}
_busy = threading.Lock()


@dataclass(frozen=True, eq=False)
class FrontSure:
    """What is known of the front that is shown.

    Attributes:
        entry: the supernet.
        revision: of the table.
        table: all its rows.
        front: with the limits of the page.
        limits: of the page.
        found: None while it is not known yet.
        samples: behind the accuracies.
    """

    entry: SupernetEntry
    revision: str
    table: pd.DataFrame
    front: Front
    limits: tuple[Constraint, ...]
    found: FrontChance | Unknown | None
    samples: Samples

    @classmethod
    def of(
        cls,
        entry: SupernetEntry,
        revision: str,
        table: pd.DataFrame,
        front: Front,
        limits: tuple[Constraint, ...],
        goals: Sequence[Objective],
    ) -> FrontSure:
        """What is known now; computes nothing that takes long."""
        behind = {
            goal.name: n
            for goal in goals
            if (n := correct.samples_of(entry, table, goal.name, revision)) is not None
        }
        found = chance_of.known_chance(entry, revision, front.names, limits)
        # What is shipped says it; asking the task reads its source.
        word = found.word if isinstance(found, FrontChance) else chance_of.called(entry.task)
        samples = Samples(behind, word, chance_of.caveat(entry.task))
        return cls(entry, revision, table, front, limits, found, samples)

    @property
    def known(self) -> FrontChance | None:
        return self.found if isinstance(self.found, FrontChance) else None

    @property
    def asked(self) -> bool:
        """Whether there is anything to know: one of the axes is an accuracy."""
        return chance_of.quality_and_cost(self.front.names) is not None

    @property
    def key(self) -> str:
        """Changes whenever what is known does."""
        known = self.known
        return "" if known is None else f"{known.quality}/{known.cost}/{known.n_samples}/{len(known.share)}"

    def intervals(self, values: Mapping[str, float]) -> Mapping[str, str]:
        """Objective -> interval of a subnet's value, as text."""
        return words_of.interval_texts(values, self.samples)

    def columns(self, rows: pd.DataFrame) -> dict[str, dict[str, list[str]]]:
        """Objective -> columns beside it: its intervals, and for the axis how often the row is on the front."""
        found = {}
        for name, n in self.samples.by_name.items():
            label = f"{objective(name).label}: 95 %"
            found[name] = {label: words_of.interval_column(rows[name], n, objective(name))}
        if self.known is not None:
            share = self.known.share
            told = [format_share(share.get(arch_id, 0.0)) for arch_id in rows["arch_id"]]
            found[self.known.quality]["in resamples"] = told
        return found

    def marks(self, y: Objective, *, whiskers: bool) -> ChanceMarks | None:
        """What is drawn of it."""
        members = self.front.members
        values = dict(zip(members["arch_id"], members[y.name], strict=True)) if whiskers else {}
        return marks(self.known, values, self.samples.by_name.get(y.name))

    def waited(self) -> FrontSure:
        """The same with what there is to know found out now."""
        if not self.asked:
            return self
        found = chance_of.chance_or_why(self.entry, self.table, self.revision, self.front.names, self.limits)
        return replace(self, found=found)

    def sentence(self) -> str:
        """What is known of the front as a whole, in a sentence or two; "" for nothing."""
        if isinstance(self.found, Unknown):
            return self.found.sentence
        shown = self.front.members["arch_id"].tolist()
        return words_of.front_sentence(self.found, shown, self.samples.word) if self.found is not None else ""

    def compute(self) -> None:
        """Find it out; meant for a thread."""
        chance_of.chance_or_why(self.entry, self.table, self.revision, self.front.names, self.limits)


def below_chart(sure: FrontSure) -> None:
    """The sentence below the chart, or that it is being found out."""
    if not sure.asked:
        return
    if sure.found is None:
        _wait(sure)
    elif isinstance(sure.found, Unknown):
        _unknown(sure, sure.found)
    else:
        note(f"{sure.sentence()} {words_of.DRAWN}")


def _wait(sure: FrontSure) -> None:
    key = (sure.revision, sure.front.names, sure.limits)

    @st.fragment(run_every=resources.look_again_seconds())
    def part() -> None:
        if chance_of.known_chance(sure.entry, sure.revision, sure.front.names, sure.limits) is not None:
            st.rerun()
        note(f"How sure these members are is being computed from the {sure.samples.word}…")
        # Not in the first run: the chart is on its way.
        if st.session_state.get("chance-asked") == key:
            _start(sure)
        st.session_state["chance-asked"] = key

    part()


def _start(sure: FrontSure) -> None:
    """One front at a time, whoever asks; who finds the server busy asks again a second later."""
    if not _busy.acquire(blocking=False):
        return

    def work() -> None:
        try:
            sure.compute()
        finally:
            _busy.release()

    threading.Thread(target=work, name="chance", daemon=True).start()


def _unknown(sure: FrontSure, why: Unknown) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="front-unknown-chance"):
        note(why.sentence)
        # Not as a callback: those of a fragment cannot say what goes wrong.
        if why.sentence == correct.NOT_KEPT and st.button(
            "Measure every subnet again",
            key="measure-again",
            icon=":material/calculate:",
            **door.lock(
                Action.START,
                help="Runs in the background. The numbers will be the same; which samples each subnet got right is then kept.",
            ),
        ):
            evaluate(sure.entry)


def card_lines(sure: FrontSure, arch_id: str) -> list[str]:
    """What the card says of one subnet below its numbers."""
    lines = [words_of.how_intervals(sure.samples)] if sure.samples.by_name else []
    if sure.known is not None:
        lines += words_of.member_lines(sure.known, arch_id, sure.samples.word)
    return lines


def cheaper_than(sure: FrontSure, arch_id: str) -> tuple[str, str]:
    """The cheapest subnet that is as good and costs less, and why it is called so; "" where there is none."""
    if sure.known is None or arch_id not in sure.known.cheaper:
        return "", ""
    return sure.known.cheaper[arch_id].arch_id, words_of.cheaper_line(sure.known, arch_id, sure.samples.word)


def panel(sure: FrontSure) -> None:
    """Every member with its interval, its chances and what is as good and cheaper."""
    known = sure.known
    if known is None:
        st.caption("This is known once it is computed, for fronts of an accuracy and one other objective.")
        _believe(sure.entry)
        return
    goal = objective(known.cost)
    members = {row["arch_id"]: row for row in sure.front.members.to_dict("records")}
    found = words_of.rows(known, members)
    word, n = sure.samples.word, f"{known.n_samples:,}"
    if shift := words_of.shift_line(known, word):
        st.warning(for_markdown(shift, 400), icon=":material/swap_horiz:")
    html_table(
        [
            {
                "subnet": row.arch_id,
                goal.label: row.cost,
                "accuracy (95 %)": row.accuracy,
                "in resamples": row.share,
                "on others": row.stays,
                "expect (90 %)": row.expected,
                "step": "sure" if row.step else "",
                "as good and cheaper": row.cheaper,
            }
            for row in found
        ],
        "The front's members and how sure they are",
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        steps = [row.arch_id for row in found if row.step]
        st.selectbox(
            "Go to a sure step",
            steps,
            index=None,
            placeholder="choose",
            format_func=lambda i: next(f"{r.accuracy} · {r.cost} · {i}" for r in found if r.arch_id == i),
            key="pick-sure-step",
            on_change=_go,
        )
    for line in words_of.knee_lines(known, _KNEES, word):
        st.caption(for_markdown(line, 400))
    note(
        f"In resamples: how often the subnet is on the front when these {n} {word} are drawn anew, {known.resamples:,} times, for "
        f"all subnets alike. That keeps members too often, for they were lucky on these very {word}. On others: how likely "
        f"it is on the front of {n} other {word}, luck taken off. Expect: its accuracy on {known.n_new:,} other {word} like these, without "
        "what picking the best promises too much. As good: not told apart by McNemar's exact test (mid-p, 5 %). Sure "
        "steps: the fewest, each really better than the one before. Accuracies: Wilson's intervals."
    )
    closer_measured.panel(sure.entry, known, word)
    _believe(sure.entry)


def _believe(entry: SupernetEntry) -> None:
    """Where it is checked whether the supernet's order is that of training alone; none of the above says that."""
    st.page_link(
        "pages/supernets.py",
        label="Whether to believe the supernet's order: the ranking check",
        icon=":material/fact_check:",
        query_params={"supernet": entry.supernet_id},
    )


def _go() -> None:
    if picked := st.session_state.get("pick-sure-step"):
        state.select(picked)
        st.session_state["pick-sure-step"] = None


def compare(sure: FrontSure, here: str, there: str, name: str) -> None:
    """Two subnets on the same samples: the paired test and the difference with its interval."""
    test = correct.paired_test(sure.entry, there, here, name)
    if test is not None:
        st.markdown(for_markdown(words_of.paired_sentence(test, objective(name), sure.samples.word), 800))
