"""Who found more: the sentence, what it rests on, and the table of the race."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from core.library.chance import called
from core.library.csv_tables import csv_bytes
from core.library.supernets import SupernetEntry
from core.objectives.base import objectives
from core.over_seeds import ASSUMES, FEWEST_PAIRS, Spread, verdict
from core.plots.over_seeds import in_words
from core.records import Run
from core.text import display_name, for_markdown
from core.views.race import Race
from core.views.race_chance import by_samples
from core.views.race_table import SHARES, Reached, seed_rows, standings
from core.views.race_verdict import who_won
from core.words import format_share, format_value
from pages.ui import resources
from pages.ui.progress import active
from pages.ui.search import measured
from pages.ui.search.race_panel import PROPOSING, Chosen, Raced
from pages.ui.setup import note
from pages.ui.tables import html_table


def headline(given: Raced) -> None:
    """Who won, at equal evaluations and at equal seconds; nothing where only one setting is shown."""
    found, timed = given.race, given.timed
    share = found.ceiling is not None
    told = []
    if found.at:
        ended = {racer.label: racer.ended for racer in found.racers}
        told.append(who_won(ended, found.verdicts, when=f"after {found.at:,} evaluations", share=share))
    if timed is not None and timed.at and not found.looked_up:
        ended = {racer.label: racer.ended for racer in timed.racers}
        told.append(who_won(ended, timed.verdicts, when=f"after {_seconds(timed.at)}", share=share))
    sentences = [each for each in told if each is not None]
    if not sentences:
        return
    with st.container(key="race-verdict"):
        for each in sentences:
            icon = ":material/star:" if each.winner else ":material/compare:"
            st.markdown(f"{icon} {for_markdown(each.sentence, 900)}")


def in_numbers(entry: SupernetEntry, chosen: Chosen, given: Raced) -> None:
    """Mean and spread per setting, what the verdict rests on, and the file of single seeds."""
    found = given.race
    if not found.at:
        return
    _table(found)
    if len(found.racers) > 1:
        _grounds(entry, chosen, given)
    reference = ", ".join(
        f"{goal.label} {format_value(value, goal)}"
        for goal, value in zip(objectives(found.names), found.reference, strict=True)
    )
    share = found.ceiling is not None
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
        help="One row per seed: hypervolumes, seconds, and when it came to 95 and 99 % of the exact hypervolume.",
    )


def _table(found: Race) -> None:
    share = found.ceiling is not None
    said: dict[str, Any] = {"factor": 100.0, "unit": " %", "digits": 1} if share else {"digits": 4}
    numbers = standings(found)
    rows = []
    for racer, row in zip(found.racers, numbers.rows, strict=True):
        if not racer.ended:
            continue
        after = dict(zip(numbers.evaluations, row.after, strict=True)) | {found.at: racer.spread}
        cells = {"search": display_name(racer.label, 200)}
        cells |= {f"after {n:,}": _reads(after[n], said) for n in sorted(after)}
        cells |= {f"seconds to {format_share(r.share)}": _when(r) for r in row.reached}
        rows.append(cells)
    with st.container(key="race-numbers"):
        html_table(rows, "Searches by hypervolume, over their seeds")
    band = " or ".join(dict.fromkeys(r.spread.band for r in found.racers if r.spread.band))
    what = "Share of the exact hypervolume" if share else "Hypervolume"
    told = f"{what} after so many evaluations: mean over the seeds ({f'{band}, ' if band else ''}n)."
    if share:
        marks = " and ".join(format_share(s) for s in SHARES)
        told += f" Seconds to {marks} of it: mean over the seeds that came so far, and how many did."
        told += f" {PROPOSING}" if found.looked_up else ""
    st.caption(told)


def _reads(after: Spread, said: dict[str, Any]) -> str:
    return in_words(after, **said) if after.n else "not reached"


def _seconds(seconds: float) -> str:
    return f"{seconds:.3g} measured seconds"


def _when(reached: Reached) -> str:
    if not reached.reached:
        return f"0 of {reached.n}"
    if not reached.seconds.n:
        return f"{reached.reached} of {reached.n}, seconds not known"
    digits = 1 if reached.seconds.mean >= 1 else 3
    return f"{reached.seconds.mean:.{digits}f} s ({reached.reached} of {reached.n})"


def _grounds(entry: SupernetEntry, chosen: Chosen, given: Raced) -> None:
    """Every pair, the same by resampled images, and what the test assumes."""
    found, timed = given.race, given.timed
    with st.expander("What the verdict rests on", key="race-grounds"):
        for each in found.verdicts:
            st.markdown(
                f"- {for_markdown(verdict(each, f'hypervolume after {found.at:,} evaluations'), 600)}"
            )
        for each in timed.verdicts if timed is not None and timed.at else ():
            st.markdown(f"- {for_markdown(verdict(each, f'hypervolume after {_seconds(timed.at)}'), 600)}")
        for sentence in _by_samples(entry, chosen, found):
            st.markdown(f"- {for_markdown(sentence, 600)}")
        if any(each.n >= FEWEST_PAIRS for each in found.verdicts):
            st.caption(ASSUMES)


def _by_samples(entry: SupernetEntry, chosen: Chosen, found: Race) -> list[str]:
    """Whether who won depends on the samples; asked when the searches are done."""
    runs = [run for group in chosen.groups for run in group.runs]
    if len(found.racers) < 2 or active(runs):
        return []
    ids = sorted(run.run_id for run in runs)
    return _told_by_samples(
        resources.place(), f"{entry.revision}{found.at}{ids}{chosen.labels}", entry, found, runs
    )


@st.cache_resource(show_spinner=False, max_entries=32)
def _told_by_samples(
    place: str, key: str, _entry: SupernetEntry, _found: Race, _runs: Sequence[Run]
) -> Sequence[str]:
    tables = {run.run_id: measured.table(_entry, run) for run in _runs}
    return by_samples(_entry, _found, tables, called(_entry.task))
