"""Searches of this supernet as groups of equal settings: which are shown, which one is drawn, and how they race."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import streamlit as st

from core.library import supernets
from core.library.supernets import SupernetEntry
from core.plots.curves import hypervolume_figure
from core.plots.finished import finished
from core.records import Run
from core.text import display_name, for_markdown
from core.views.race import Race, competitors, limits_of, names_of, race, search_labels
from core.views.race_seconds import TimedRace, by_seconds
from core.views.seed_groups import SeedGroup, seed_groups, seeds_of
from pages.ui import resources, state
from pages.ui.search import files, measured

_PICK, _DRAWN = "pick-search", "search-drawn"
_MOST_AT_FIRST = 8
PROPOSING = (
    "Numbers were looked up in the complete table, so these seconds are those of proposing alone. To race by the clock, "
    "switch the table off under More settings."
)
_EVALUATIONS, _SECONDS = "Evaluations", "Seconds"


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

    @property
    def settings(self) -> Mapping[str, tuple[Run, ...]]:
        """label -> its searches."""
        return {
            label: group.runs for label, group in zip(self.labels, self.groups, strict=True) if group.runs
        }


@dataclass(frozen=True, eq=False)
class Raced:
    """A race by evaluations, and by seconds where they are known."""

    race: Race
    timed: TimedRace | None


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
    st.session_state[_PICK] = kept or _at_first(newest, of_run[asked if asked in of_run else runs[0].run_id])
    wide, narrow = st.columns([1.6, 1], gap="small")
    chosen = wide.multiselect(
        "Searches shown",
        list(newest),
        format_func=lambda i: f"{display_name(labels[i])} · {_seeds(newest[i])}",
        key=_PICK,
        help="Searches of equal settings are one entry, whatever their seeds. Those for the same objectives race below.",
    )
    shown = [newest[run_id] for run_id in chosen]
    # Among those that race a name needs to say less than among all.
    names = search_labels(shown)
    one = {run.run_id: (name, run) for g, name in zip(shown, names, strict=True) for run in g.runs}
    if not one:
        return Chosen((), (), None)
    state.keep(_DRAWN, one, asked if asked in one else next(iter(one)))
    if any(run_id in one for run_id in started):
        st.session_state[_DRAWN] = next(run_id for run_id in started if run_id in one)
    drawn = st.session_state[_DRAWN]
    if len(one) > 1:
        drawn = narrow.selectbox(
            "Front drawn",
            list(one),
            format_func=lambda i: f"{display_name(one[i][0])}, seed {seeds_of(one[i][1])[0]}",
            key=_DRAWN,
            help="One search at a time: the chart, the CSV and the link to the Front page are of this one.",
        )
    return Chosen(tuple(shown), tuple(names), one[drawn][1])


def _at_first(newest: Mapping[str, SeedGroup], first: str) -> list[str]:
    """Who races against one setting, that one included."""
    same = competitors(list(newest.values()), newest[first])
    others = [run_id for run_id, group in newest.items() if group in same and run_id != first]
    kept = [first, *others][:_MOST_AT_FIRST]
    # Newest come first in the list; who was started first stands first in a race.
    return [run_id for run_id in reversed(newest) if run_id in kept]


def _seeds(group: SeedGroup) -> str:
    return f"seed {group.seeds[0]}" if group.n == 1 else f"{group.n} seeds"


def as_they_are(chosen: Chosen, now: Sequence[Run]) -> Chosen:
    """The same choice with the runs as they are now."""
    by_id = {run.run_id: run for run in now}
    groups = tuple(
        replace(g, runs=tuple(by_id[r.run_id] for r in g.runs if r.run_id in by_id)) for g in chosen.groups
    )
    return replace(chosen, groups=groups)


def raced(entry: SupernetEntry, chosen: Chosen) -> Raced | None:
    """The race of the searches shown, as far as it has come; None where nothing that counts was measured."""
    runs = [run for group in chosen.groups for run in group.runs]
    made = {run.run_id: measured.count(run) for run in runs}
    so_far = [(run.run_id, run.state.value, made[run.run_id]) for run in runs]
    return (
        _raced(resources.place(), f"{entry.revision}{chosen.labels}{so_far}", entry, chosen, made)
        if runs
        else None
    )


@st.cache_resource(show_spinner=False, max_entries=16)
def _raced(
    place: str, key: str, _entry: SupernetEntry, _chosen: Chosen, _made: Mapping[str, int]
) -> Raced | None:
    limits, names = limits_of(_chosen.groups[0]), names_of(_chosen.groups[0])
    runs = [run for group in _chosen.groups for run in group.runs]
    tables = {run.run_id: measured.table(_entry, run, _made[run.run_id]) for run in runs}
    exact = supernets.table_with_counts(_entry)
    front = None
    if (
        exact is not None
        and len(names) > 1
        and {*names, *(c.objective for c in limits)} <= set(exact.columns)
    ):
        front = resources.front(_entry.revision, names, limits, exact)
    seconds = {run.run_id: measured.seconds(run, _made[run.run_id]) for run in runs}
    found = race(_chosen.groups, _chosen.labels, tables, front, seconds)
    return None if found is None else Raced(found, by_seconds(found))


def hypervolume_race(entry: SupernetEntry, given: Raced) -> None:
    """Hypervolume by evaluations or by seconds, the exact front as ceiling where the whole space is known."""
    found, timed = given.race, given.timed
    with st.container(horizontal=True, vertical_alignment="center"):
        across = _EVALUATIONS
        if timed is not None:
            across = st.segmented_control(
                "Hypervolume by",
                [_EVALUATIONS, _SECONDS],
                default=_EVALUATIONS,
                required=True,
                key="search-across",
                help="True evaluations, or the seconds of proposing and measuring; waiting and pauses do not count.",
            )
        several = any(len(racer.seeds) > 1 for racer in found.racers)
        apart = several and st.toggle(
            "Seeds apart", key="search-apart", help="A line per seed instead of their mean and band."
        )
    clock = timed if across == _SECONDS else None
    share = found.ceiling is not None
    st.plotly_chart(
        finished(
            hypervolume_figure(
                {r.label: r.curves for r in (found.racers if clock is None else clock.racers)},
                ceiling=1.0 if share else None,
                apart=bool(apart),
                seconds=None if clock is None else clock.places.tolist(),
            )
        ),
        key="search-hypervolume",
        width="stretch",
        config={"displaylogo": False},
        alt="Hypervolume of each search after every evaluation, or after so many seconds.",
    )
    _captions(given, clock, apart=bool(apart))
    files.race(entry, found, apart=bool(apart))


def _captions(given: Raced, clock: TimedRace | None, *, apart: bool) -> None:
    found = given.race
    bands = dict.fromkeys(r.spread.band for r in found.racers if r.spread.band)
    said = []
    if bands and not apart:
        thin = ", single seeds as thin lines" if "min to max" in bands else ""
        said.append(f"Line: mean over the seeds; band: {' or '.join(bands)}{thin}.")
    if clock is not None and found.looked_up:
        said.append(PROPOSING)
    if clock is not None and clock.unknown:
        said.append(
            f"Seconds were not written down for {for_markdown(', '.join(clock.unknown), 300)}, searched by an earlier release."
        )
    if found.left_out:
        said.append(
            "Not in this race, for other objectives, limits or data were searched on: "
            f"{for_markdown(', '.join(found.left_out), 300)}."
        )
    if said:
        st.caption(" ".join(said))
