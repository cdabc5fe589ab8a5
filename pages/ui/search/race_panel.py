"""Searches of this supernet as groups of equal settings: which are shown, which one is drawn, and how they race."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st

from core.library import supernets
from core.library.chance import called
from core.library.csv_tables import csv_bytes
from core.library.supernets import SupernetEntry
from core.objectives.base import objectives
from core.over_seeds import ASSUMES, FEWEST_PAIRS, verdict
from core.plots.curves import hypervolume_figure
from core.plots.finished import finished
from core.plots.over_seeds import in_words
from core.records import Run, RunState
from core.text import display_name, for_markdown
from core.views.race import Race, race, search_labels, seed_rows
from core.views.race_chance import by_samples
from core.views.seed_groups import SeedGroup, seed_groups, seeds_of
from core.words import format_value
from pages.ui import resources, state
from pages.ui.progress import active, job_row
from pages.ui.search import files
from pages.ui.search.panels import measured
from pages.ui.setup import note
from pages.ui.tables import html_table

if TYPE_CHECKING:
    import pandas as pd

_PICK, _DRAWN = "pick-search", "search-drawn"


@dataclass(frozen=True, eq=False)
class Chosen:
    """What the page shows.

    Attributes:
        groups: searches of equal settings, in the order chosen.
        labels: what distinguishes them.
        drawn: the one search whose front is drawn, downloaded and opened; None where none is chosen.
    """

    groups: tuple[SeedGroup, ...]
    labels: tuple[str, ...]
    drawn: Run | None


def choose(runs: Sequence[Run], started: Sequence[str], asked: str = "") -> Chosen:
    """Which searches race, and which one of them is drawn above.

    Args:
        runs: searches of the supernet, newest first; at least one.
        started: ids of those that a click on this rerun started: they are shown at once.
        asked: id of the one that a link or the Front page is about, "" for none.
    """
    groups = seed_groups(runs)
    # A group goes by its newest run, so that an id which was kept finds it however many seeds join.
    newest = {max(g.runs + g.again, key=lambda r: r.created).run_id: g for g in groups}
    of_run = {run.run_id: first for first, g in newest.items() for run in (*g.runs, *g.again)}
    labels = dict(zip(newest, search_labels(groups), strict=True))
    wanted = list(started) or st.session_state.get(_PICK, [])
    kept = list(dict.fromkeys(of_run[run_id] for run_id in wanted if run_id in of_run))
    first = asked if asked in of_run else runs[0].run_id
    st.session_state[_PICK] = kept or [of_run[first]]
    chosen = st.multiselect(
        "Searches shown",
        list(newest),
        format_func=lambda i: f"{display_name(labels[i])} · {_seeds(newest[i])}",
        key=_PICK,
        help="Searches of equal settings are one entry, whatever their seeds. They race below.",
    )
    shown = [newest[run_id] for run_id in chosen]
    one = {
        run.run_id: (label, run)
        for g, label in zip(shown, (labels[i] for i in chosen), strict=True)
        for run in g.runs
    }
    if not one:
        return Chosen((), (), None)
    state.keep(_DRAWN, one, asked if asked in one else next(iter(one)))
    if any(run_id in one for run_id in started):
        st.session_state[_DRAWN] = next(run_id for run_id in started if run_id in one)
    drawn = st.session_state[_DRAWN]
    if len(one) > 1:
        drawn = st.selectbox(
            "Front drawn",
            list(one),
            format_func=lambda i: f"{display_name(one[i][0])}, seed {seeds_of(one[i][1])[0]}",
            key=_DRAWN,
            help="One search at a time: the chart, the CSV and the link to the Front page are of this one.",
        )
    return Chosen(tuple(shown), tuple(labels[i] for i in chosen), one[drawn][1])


def _seeds(group: SeedGroup) -> str:
    return f"seed {group.seeds[0]}" if group.n == 1 else f"{group.n} seeds"


def as_they_are(chosen: Chosen, now: Sequence[Run]) -> Chosen:
    """The same choice with the runs as they are now."""
    by_id = {run.run_id: run for run in now}
    groups = tuple(
        replace(g, runs=tuple(by_id[r.run_id] for r in g.runs if r.run_id in by_id)) for g in chosen.groups
    )
    return replace(chosen, groups=groups)


def progress(runs: Sequence[Run]) -> None:
    """What goes on or was stopped, a row each; searches that are done are counted in a line."""
    done = [run for run in runs if run.state is RunState.DONE]
    if len(runs) == 1 or len(done) == 1:
        job_row(done[0] if done else runs[0])
    elif done:
        st.caption(f":green-badge[{RunState.DONE.value}] {len(done)} searches.")
    for run in runs if len(runs) > 1 else ():
        if run.state is not RunState.DONE:
            job_row(run)


def hypervolume_race(entry: SupernetEntry, chosen: Chosen) -> None:
    """Hypervolume after each evaluation, the exact front as ceiling where the whole space is known."""
    found = _race(entry, chosen)
    if found is None:
        return
    several = any(len(racer.seeds) > 1 for racer in found.racers)
    apart = several and st.toggle(
        "Seeds apart", key="search-apart", help="A line per seed instead of their mean and band."
    )
    share = found.ceiling is not None
    st.plotly_chart(
        finished(
            hypervolume_figure(
                {r.label: r.curves for r in found.racers}, ceiling=1.0 if share else None, apart=apart
            )
        ),
        key="search-hypervolume",
        width="stretch",
        config={"displaylogo": False},
        alt="Hypervolume of each search after every evaluation.",
    )
    bands = dict.fromkeys(r.spread.band for r in found.racers if r.spread.band)
    if bands and not apart:
        st.caption(
            f"Line: mean over the seeds; band: {' or '.join(bands)}"
            f"{', single seeds as thin lines' if 'min to max' in bands else ''}."
        )
    if found.left_out:
        st.caption(
            f"Not in this race, for other objectives were searched on: {for_markdown(', '.join(found.left_out), 300)}."
        )
    files.race(entry, found, apart=apart)
    if found.at:
        _table(found, _by_samples(entry, chosen, found))


def _race(entry: SupernetEntry, chosen: Chosen) -> Race | None:
    tables = {run.run_id: measured(entry, run) for group in chosen.groups for run in group.runs}
    names = tuple(chosen.groups[0].settings.get("objectives") or ()) if chosen.groups else ()
    exact = supernets.table(entry)
    front = None
    if exact is not None and len(names) > 1 and set(names) <= set(exact.columns):
        front = resources.front(entry.revision, names, (), exact)
    return race(chosen.groups, chosen.labels, tables, front)


def _by_samples(entry: SupernetEntry, chosen: Chosen, found: Race) -> list[str]:
    """Whether who won depends on the samples; asked when the searches are done."""
    runs = [run for group in chosen.groups for run in group.runs]
    if len(found.racers) < 2 or active(runs):
        return []
    tables = {run.run_id: measured(entry, run) for run in runs}
    return _told_by_samples(
        f"{entry.revision}{found.at}{sorted(tables)}{chosen.labels}", entry, found, tables
    )


@st.cache_resource(show_spinner=False, max_entries=32)
def _told_by_samples(
    key: str, _entry: SupernetEntry, _found: Race, _tables: dict[str, pd.DataFrame | None]
) -> list[str]:
    return by_samples(_entry, _found, _tables, called(_entry.task))


def _table(found: Race, by_images: Sequence[str]) -> None:
    """The race in numbers: mean and spread per setting, then who found more, and the file of single seeds."""
    share = found.ceiling is not None
    said = {"factor": 100.0, "unit": " %", "digits": 2} if share else {"digits": 4}
    what = "share of the exact hypervolume" if share else "hypervolume"
    band = " or ".join(dict.fromkeys(r.spread.band for r in found.racers if r.spread.band))
    mean = f"{what} after {found.at:,} evaluations: mean{f' ({band}, n)' if band else ''}"
    html_table(
        [
            {"search": display_name(r.label, 200), mean: in_words(r.spread, **said)}  # type: ignore[arg-type]
            for r in found.racers
            if r.ended
        ],
        "Searches by hypervolume, over their seeds",
    )
    for each in found.verdicts:
        st.markdown(f"- {for_markdown(verdict(each, f'hypervolume after {found.at:,} evaluations'), 600)}")
    for sentence in by_images:
        st.markdown(f"- {for_markdown(sentence, 600)}")
    if any(each.n >= FEWEST_PAIRS for each in found.verdicts):
        st.caption(ASSUMES)
    reference = ", ".join(
        f"{goal.label} {format_value(value, goal)}"
        for goal, value in zip(objectives(found.names), found.reference, strict=True)
    )
    moves = "" if share else " It lies a little beyond the worst that these searches measured."
    note(
        "Hypervolume: how much of the objectives' space the front covers, against one reference point for all "
        f"({reference}). Larger is better{'; the exact front has 100 %, which no search can pass' if share else ''}.{moves}"
    )
    st.download_button(
        "Race as CSV",
        lambda: csv_bytes(seed_rows(found)),
        "race.csv",
        "text/csv",
        key="race-csv",
        on_click="ignore",
        icon=":material/table:",
        help="One row per seed.",
    )
