"""Views of finished runs: the list, one run's details, the result of a check."""

from __future__ import annotations

import datetime
import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from core.errors import CoreError
from core.jobs.kinds import label_of
from core.library.csv_tables import csv_bytes
from core.people import Action, told_apart
from core.plots.over_seeds import in_words
from core.records import Run, RunState
from core.text import display_name, for_markdown
from core.views.seed_groups import SeedGroup, seed_groups
from core.views.seed_results import seed_numbers, seed_rows
from core.views.who_did_what import made_by
from core.words import count_of, format_bytes, format_seconds
from pages.ui import resources, state
from pages.ui.people import door
from pages.ui.progress import all_runs, attempt
from pages.ui.tables import height_of, html_table, settings_table

if TYPE_CHECKING:
    from core.ledger import Ledger
    from core.store import RunStore
    from core.store.storage import StorageUse

_TABLE = "runs-table"
_MOST_BUTTONS = 8


def runs_table(runs: Sequence[Run]) -> Run | None:
    """All finished runs as a table; returns the selected one. The chooser below does the same by keyboard.

    Runs that differ in their seed alone can be one row, which selects the first of them.
    """
    import pandas as pd

    groups = {group.runs[0].run_id: group for group in seed_groups(runs)}
    together = len(groups) < len(runs) and st.toggle(
        "Seeds together",
        key="runs-together",
        help="Runs that differ in nothing but their seed as one row, with the number of seeds.",
    )
    listed, runs = runs, [g.runs[0] for g in groups.values()] if together else runs
    rows = pd.DataFrame(
        {
            "run": [display_name(groups[r.run_id].title if together else r.title) for r in runs],
            "kind": [label_of(r.kind) for r in runs],
            "state": [r.state.value for r in runs],
            **_owner_column(runs),
            **_seed_columns(runs, groups if together else {}),
            "started": [datetime.datetime.fromtimestamp(r.created) for r in runs],
            "took": [format_seconds(r.worked) for r in runs],
        }
    )
    ids = [r.run_id for r in runs]
    st.dataframe(
        rows,
        key=_TABLE,
        hide_index=True,
        on_select=lambda: _row_chosen(ids),
        selection_mode="single-row",
        width="stretch",
        height=height_of(len(rows)),
        column_config={"started": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm")},
        alt="Table of finished runs",
    )
    by_id = {r.run_id: r for r in listed}
    state.keep("pick-run", by_id, ids[0] if ids else None)
    chosen = st.selectbox(
        "Run",
        list(by_id),
        index=None,
        format_func=lambda i: f"{display_name(by_id[i].title)} · {by_id[i].state.value}",
        key="pick-run",
        placeholder="Choose a run",
    )
    return by_id.get(chosen) if chosen else None


def _owner_column(runs: Sequence[Run]) -> dict[str, list[str]]:
    """Who started each run, where people are told apart."""
    store = resources.quiet_store()
    if not told_apart() or store is None or store.sandbox_id:
        return {}
    owners = store.owners.all()
    return {"started by": [str(owners.get(r.run_id, "")) for r in runs]}


def _seed_columns(runs: Sequence[Run], groups: Mapping[str, SeedGroup]) -> dict[str, list[Any]]:
    if not groups:
        return {"seed": [r.seed for r in runs]}
    seeds = [groups[r.run_id].seeds for r in runs]
    return {"n": [len(s) for s in seeds], "seeds": [", ".join(map(str, s)) for s in seeds]}


def over_seeds(store: RunStore, run: Run, runs: Sequence[Run]) -> None:
    """Where the selected run is one of several that differ in their seed alone: their numbers, mean and spread."""
    group = next(g for g in seed_groups(runs) if run.run_id in {r.run_id for r in (*g.runs, *g.again)})
    if group.n < 2:
        return
    st.caption(f"One of {group.n} seeds of equal settings: {', '.join(map(str, group.seeds))}.")
    try:
        numbers = seed_numbers(store, group)
    except CoreError as error:
        st.warning(for_markdown(error, 600))
        return
    if not numbers:
        return
    bands = dict.fromkeys(each.spread.band for each in numbers if each.spread.band)
    mean = f"mean ({', '.join(bands)}, n)" if bands else "mean"
    html_table(
        [
            {
                "over its seeds": each.label,
                mean: in_words(
                    each.spread, factor=100.0 if each.share else 1.0, unit=" %" if each.share else ""
                ),
            }
            for each in numbers
        ],
        "What the runs ended with, over their seeds",
    )
    st.download_button(
        "Seeds as CSV",
        lambda: csv_bytes(seed_rows(store, group)),
        "seeds.csv",
        "text/csv",
        key="runs-seeds-csv",
        on_click="ignore",
        icon=":material/table:",
        help="One row per seed.",
    )


def after_a_restart() -> None:
    """Which runs this server took up by itself, and which it left for a person to decide."""
    runs = {run.run_id: run for run in all_runs()}
    jobs = resources.jobs()
    taken = [runs[i] for i in jobs.taken_up if i in runs and not runs[i].state.is_final]
    left = [runs[i] for i in jobs.left_alone if i in runs and runs[i].state is RunState.INTERRUPTED]
    if taken:
        st.info(
            f"What ran {_titles(taken)} ended. Taken up again by itself, from where it was saved.",
            icon=":material/restart_alt:",
        )
    if left:
        st.warning(
            f"What ran {_titles(left)} ended three times, without any progress between: perhaps it takes more memory than "
            "there is. It was not taken up again by itself; resume it below.",
            icon=":material/restart_alt:",
        )


def _titles(runs: Sequence[Run]) -> str:
    return ", ".join(f"**{for_markdown(run.title)}**" for run in runs)


def damaged_runs(store: RunStore) -> None:
    """Runs whose record cannot be read any more, each with what happened and a button to remove it."""
    for row in store.damaged("runs"):
        with st.container(horizontal=True, vertical_alignment="center", key=f"damaged-{row.key}"):
            st.warning(
                f"{for_markdown(row.title)}: {for_markdown(row.sentence, 600)}",
                icon=":material/broken_image:",
            )
            st.button(
                "Remove",
                key=f"remove-damaged-{row.key}",
                on_click=store.remove_damaged,
                args=(row,),
                icon=":material/delete:",
                **door.lock(Action.REPAIR),
            )


def storage(parts: Sequence[StorageUse]) -> None:
    """What takes how much of the disk, and how to have less of it."""
    for part in parts:
        said = f"{format_bytes(part.bytes)} {for_markdown(part.name)} ({count_of(part.files, 'file')})"
        st.caption(f"{said}. {for_markdown(part.hint, 600)}" if part.hint else said)


def _row_chosen(ids: list[str]) -> None:
    rows = st.session_state[_TABLE]["selection"]["rows"]
    if rows and rows[0] < len(ids):
        st.session_state["pick-run"] = ids[rows[0]]


def run_details(store: RunStore, run: Run) -> None:
    """Settings, log and files of one run, and what can be done with it."""
    st.header(for_markdown(run.title), anchor=False)
    st.caption(for_markdown(run.message, 600))
    own = door.is_own(run.run_id)
    if told_apart() and not store.sandbox_id:
        st.caption(for_markdown(made_by(store, run.run_id)))
    with st.container(horizontal=True):
        if run.state.is_resumable:
            st.button(
                "Resume",
                key="run-resume",
                on_click=attempt,
                args=("resume", run.run_id),
                icon=":material/play_arrow:",
                type="primary",
                **door.lock(Action.RESUME, own=own),
            )
        _results(run)
        with st.popover("Delete", icon=":material/delete:"):
            st.markdown("The run, its measurements and its files will be gone.")
            st.button(
                "Delete this run",
                key="run-delete",
                on_click=_delete,
                args=(run.run_id,),
                type="primary",
                **door.lock(Action.DELETE, own=own),
            )
    try:
        ledger = store.ledger(run.run_id)
        _files(ledger)
        st.caption("Settings")
        settings_table(dict(run.params), "Settings of the run")
        if not door.may(Action.SEE_LOG, own=own):
            st.caption("Its log is for who started it, and for administrators.")
            return
        lines = store.log_lines(run.run_id)
        if lines:
            st.caption("Log")
            # Streamlit's own frame for code scrolls, and the keyboard cannot reach it.
            log = html.escape("\n".join(lines[-60:]))
            st.html(f'<pre class="ps-log" tabindex="0" role="region" aria-label="Log of the run">{log}</pre>')
    except CoreError as error:
        st.warning(for_markdown(error, 600))


def _files(ledger: Ledger) -> None:
    """The files of a run: a button each, or a chooser where there are many."""
    artifacts = {artifact.name: artifact for artifact in ledger.artifacts()}
    shown = list(artifacts)
    if len(artifacts) > _MOST_BUTTONS:
        chosen = st.selectbox(
            f"{len(artifacts)} files",
            list(artifacts),
            key="run-file",
            format_func=lambda n: f"{display_name(n)} ({format_bytes(artifacts[n].size)})",
        )
        shown = [chosen]
    for name in shown:
        artifact = artifacts[name]
        st.download_button(
            f"{display_name(artifact.name)} ({format_bytes(artifact.size)})",
            data=lambda name=artifact.name, source=ledger: source.artifact(name),
            file_name=display_name(artifact.name).replace("/", "-"),
            mime=artifact.media_type,
            key=f"artifact-{artifact.name}",
            on_click="ignore",
            icon=":material/download:",
        )


def _results(run: Run) -> None:
    """The way to the page that shows what a run found, where there is one."""
    params = run.params
    where: dict[str, tuple[str, dict[str, str]]] = {
        "evaluate_table": ("pages/front.py", {"supernet": str(params.get("supernet"))}),
        "measure_sample": (
            "pages/front.py",
            {"supernet": str(params.get("supernet")), "run": run.run_id},
        ),
        "search_front": ("pages/front.py", {"supernet": str(params.get("supernet")), "run": run.run_id}),
        "compare_trainings": ("pages/supernets.py", {"comparison": run.run_id}),
        "prune_models": ("pages/pruning.py", {"parent": str(params.get("model"))}),
        "evaluate_pruned": ("pages/pruning.py", {"parent": str(params.get("parent"))}),
        "prune_experiment": ("pages/pruning.py", {"parent": str(params.get("model")), "tab": "Experiments"}),
    }
    if run.kind in where:
        page, query = where[run.kind]
        st.page_link(page, label="Open its results", icon=":material/arrow_forward:", query_params=query)


def _delete(run_id: str) -> None:
    try:
        resources.store().delete_run(run_id)
    except CoreError as error:
        st.toast(for_markdown(error, 600), icon=":material/error:")


def show_damage(found: Sequence[str]) -> None:
    """What the check found."""
    if not found:
        st.success("Every file and row is as it was written.", icon=":material/verified_user:")
    for sentence in found[:50]:
        st.error(for_markdown(sentence, 600))
