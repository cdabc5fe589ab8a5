"""What sessions share: the store, the jobs, the library, and what was computed for it.

One of each per process, and one more for each student of a class: `store` and `jobs` are the visitor's, so that a page
which asks here can neither show nor change what is another's. Sessions hold ids only. Cached values are shared, so nobody
writes into them; a key that is a run's id goes with `place`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from core import logs
from core.errors import CoreError
from core.library import fronts as front_view
from core.library import supernets
from core.library.evaluations import as_table
from core.library.networks import ModelInfo
from core.library.suggestions import suggestions
from core.library.supernets import SupernetEntry
from core.pareto import Constraint
from core.people import Action, own_work, require
from core.records import RunState
from core.spaces import Arch
from core.text import for_markdown
from pages.ui.classroom import member
from pages.ui.home_store import home_store

CLASS_SECONDS = 5.0
_managers: list[JobManager] = []

if TYPE_CHECKING:
    import pandas as pd

    from core.jobs import JobManager
    from core.jobs.trials import Trials
    from core.jobs.within import SandboxJobs
    from core.store import RunStore
    from core.store.sandboxes import Sandboxes


def store() -> RunStore:
    """This visitor's store: a student's own, or the installation's.

    Raises:
        CoreError: the disk or the database cannot be used.
        NotAllowed: the visitor may not look.
    """
    which = _whose()
    if which is not None:
        return sandboxes().open(which)
    require(Action.LOOK)
    return home_store()


def jobs() -> JobManager | SandboxJobs:
    """This visitor's jobs: a student's own, or those of the installation.

    Raises:
        CoreError: as `store`.
    """
    which = _whose()
    if which is not None:
        return manager().within(which)
    require(Action.LOOK)
    return manager()


def place() -> str:
    """Which store is this visitor's, as a part of the keys of caches."""
    return _whose() or ""


def look_again_seconds() -> float:
    """How often a page that waits for something looks again: thirty students each second would be all a server can do."""
    return CLASS_SECONDS if place() else 1.0


def _whose() -> str | None:
    """The sandbox of this visitor; asked only inside a page's script, for elsewhere nobody knows who the visitor is."""
    which = member.sandbox()
    if which is None and get_script_run_ctx(suppress_warning=True) is None and sandboxes().in_use(math.inf):
        raise RuntimeError("pass the store along: outside a page's script it is not known whose is meant")
    return which


@st.cache_resource(show_spinner=False)
def sandboxes() -> Sandboxes:
    """The stores of all students of this installation, for what a teacher sees.

    Raises:
        CoreError: as `home_store`.
    """
    from core.store.sandboxes import Sandboxes

    return Sandboxes(home_store().home)


@st.cache_resource(show_spinner=False)
def manager() -> JobManager:
    """The job manager of this server, whoever asks: for a teacher who pauses a class's jobs.

    Raises:
        CoreError: as `home_store`.
    """
    from core.jobs import JobManager

    with own_work():
        made = JobManager(home_store(), sandboxes(), takes_up=True)
    _managers.append(made)
    logs.begin(server=made.owner.owner_id)
    return made


def manager_if_made() -> JobManager | None:
    """The job manager of this server, where anybody has needed one."""
    return _managers[-1] if _managers else None


def hand_back_runs() -> None:
    """At the end of a server: what runs is stopped and queued again, for whichever server is there next."""
    with own_work():
        while _managers:
            _managers.pop().close()


def take_up_runs() -> None:
    """At the start of a server: go on with what the end of the last one interrupted, before anybody asks."""
    with suppress(CoreError), own_work():  # the pages say what is wrong with the disk
        kept = home_store()
        unfinished = (not run.state.is_final or run.state is RunState.INTERRUPTED for run in kept.list_runs())
        # On a shared database others may queue at any time.
        if not kept.is_local or any(unfinished) or sandboxes().unfinished():
            manager()


@st.cache_resource(show_spinner=False)
def trials() -> Trials:
    """What tries work for a second, to say how long all of it will take."""
    from core.jobs.trials import Trials

    return Trials()


def quiet_store() -> RunStore | None:
    """As `store`; None, without a word, where it cannot be used."""
    try:
        return store()
    except CoreError:
        return None


def store_or_none() -> RunStore | None:
    """The store, or None where the disk cannot be used: the shipped supernets are still there."""
    try:
        return store()
    except CoreError as error:
        st.warning(f"Only looking is possible: {for_markdown(error, 600)}", icon=":material/lock:")
        return None


@st.cache_resource(show_spinner=False, max_entries=128)
def front(
    revision: str, names: tuple[str, ...], constraints: tuple[Constraint, ...], _table: pd.DataFrame
) -> front_view.Front:
    """The front of a table; `revision` must change whenever the table does."""
    return front_view.front(_table, names, constraints)


@st.cache_resource(show_spinner=False, max_entries=32)
def rows(revision: str, _table: pd.DataFrame) -> dict[str, int]:
    """Where each subnet stands in a table: arch_id -> row number."""
    return {arch_id: row for row, arch_id in enumerate(_table["arch_id"].tolist())}


@st.cache_resource(show_spinner=False, max_entries=32)
def columns(revision: str, names: tuple[str, ...], _table: pd.DataFrame) -> dict[str, list[float]]:
    """The table's columns as lists: looking one number up in a data frame costs a hundred times more."""
    return {name: _table[name].astype(float).tolist() for name in names}


def search_table(run_id: str, n_measurements: int, entry: SupernetEntry) -> pd.DataFrame:
    """The measurements of a run as a table like the library's; grows with `n_measurements`."""
    return _search_table(place(), run_id, n_measurements, entry)


@st.cache_resource(show_spinner=False, max_entries=96)
def _search_table(place: str, run_id: str, n_measurements: int, _entry: SupernetEntry) -> pd.DataFrame:
    return as_table(_entry.space, store().ledger(run_id).measurements())


def downloader(entry: SupernetEntry, arch: Arch, export_format: str) -> Callable[[], bytes]:
    """A function that makes the file when the browser asks for it (the workflow remembers it).

    It runs outside the page's script, so it calls nothing of Streamlit and holds its inputs by value.
    """

    def make() -> bytes:
        from core.library import extract_subnet

        return extract_subnet.download(entry, arch, export_format).data

    return make


def entries() -> list[SupernetEntry]:
    """Every supernet, shipped ones first."""
    return supernets.entries(store_or_none())


def suggested(entry: SupernetEntry) -> list[ModelInfo]:
    """Models of a supernet worth a first look; asked for anew every few seconds, for trainings end meanwhile."""
    return _suggested(place(), entry.revision, entry)


@st.cache_resource(show_spinner=False, max_entries=32, ttl=5)
def _suggested(place: str, key: str, _entry: SupernetEntry) -> list[ModelInfo]:
    return suggestions(store_or_none(), _entry)
