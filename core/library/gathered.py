"""Everything that searches and samples measured of one supernet, as one table.

Of a space that was never measured whole this is all there is: a front of it is the best of these subnets.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from core.cache import kept, place_of
from core.library import supernets
from core.library.evaluations import as_table, source_column, standing
from core.library.samples import KIND as SAMPLE
from core.library.searches import KIND as SEARCH
from core.library.supernets import SupernetEntry
from core.objectives.base import FromCosts, known_names, names_of
from core.records import Obtained, Run, Source

if TYPE_CHECKING:
    import pandas as pd

    from core.store import RunStore

MEASURING = (SEARCH, SAMPLE)
"""Workflows whose ledgers hold measurements of a supernet's subnets."""


def measuring_runs(store: RunStore | None, supernet_id: str, kinds: Sequence[str] = MEASURING) -> list[Run]:
    """Searches and samples of a supernet, newest first, whatever they measured on."""
    if store is None:
        return []
    found = [run for kind in kinds for run in store.list_runs(kind=kind, where={"supernet": supernet_id})]
    return sorted(found, key=lambda run: -run.created)


def on_own_data(runs: Sequence[Run]) -> list[Run]:
    """Those that measured on the supernet's own data: their numbers compare."""
    return [run for run in runs if not run.params.get("data")]


def counts_by_supernet(store: RunStore | None) -> Mapping[str, Mapping[str, int]]:
    """Supernet -> run -> measurements on its own data, of all supernets in a few queries."""
    made = {} if store is None else store.titles.measured(MEASURING)
    found: dict[str, dict[str, int]] = {}
    if store is not None and made:
        for kind in MEASURING:
            for run in on_own_data(store.list_runs(kind=kind)):
                if run.run_id in made:
                    found.setdefault(str(run.params.get("supernet")), {})[run.run_id] = made[run.run_id]
    return found


def everything(store: RunStore | None, entry: SupernetEntry) -> tuple[str, pd.DataFrame | None]:
    """What searches and samples measured of a supernet on its own data.

    Returns:
        A revision that changes with the table; the table, see `core.library.evaluations.as_table`, None for nothing.
    """
    runs = on_own_data(measuring_runs(store, entry.supernet_id))
    counts = {run.run_id: store.count_measurements(run.run_id) for run in runs} if store else {}
    made = tuple((run_id, n) for run_id, n in counts.items() if n)
    if store is None or not made:
        return entry.revision, None
    if len(made) == 1:  # as for that run alone
        (run_id, n), *_ = made
        return f"{run_id}-{n}", _of_run(run_id, n, store, entry)
    revision = hashlib.sha256(repr(made).encode()).hexdigest()[:32]
    return revision, _of_runs(revision, made, store, entry)


@kept(32, key=lambda run_id, n, store, entry: (place_of(store), run_id, n))
def _of_run(run_id: str, n: int, store: RunStore, entry: SupernetEntry) -> pd.DataFrame:
    return as_table(entry.space, store.ledger(run_id).measurements())


@kept(8, key=lambda revision, made, store, entry: (place_of(store), revision))
def _of_runs(
    revision: str, made: Sequence[tuple[str, int]], store: RunStore, entry: SupernetEntry
) -> pd.DataFrame:
    return counted_everywhere(entry, together([_of_run(run_id, n, store, entry) for run_id, n in made]))


def best_known(store: RunStore | None, entry: SupernetEntry) -> tuple[str, pd.DataFrame | None]:
    """The complete table where there is one, else `everything`; with a revision."""
    table = supernets.table(entry)
    return (entry.revision, table) if table is not None else everything(store, entry)


def counted_everywhere(entry: SupernetEntry, table: pd.DataFrame) -> pd.DataFrame:
    """The table with what some searches counted and others did not look at counted for all of its rows."""
    lacking = [name for name in names_of(FromCosts) if name in table and table[name].isna().any()]
    if not lacking:
        return table
    rows = entry.space.from_ids(table["arch_id"].tolist())
    columns = {name: supernets.counted(entry, rows, name).astype(float) for name in lacking}
    sources = {source_column(name): str(Obtained(Source.COUNTED)) for name in lacking}
    return table.assign(**columns, **sources)


def together(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One table of several of `core.library.evaluations.as_table`, a row per architecture.

    Of an architecture that is in several, each objective's value is taken from the first that measured it; a value
    that may not stand on a front gives way to one that may.
    """
    import pandas as pd

    if len(tables) == 1:
        return tables[0]
    whole = pd.concat(tables, ignore_index=True)
    stands = standing(whole, known_names(map(str, whole.columns)))
    order = np.argsort(~stands, kind="stable")
    return whole.iloc[order].groupby("arch_id", sort=False, as_index=False).first()
