"""What searches have measured so far, read from the store once for each number of evaluations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.library.supernets import SupernetEntry
from core.records import Run
from core.views.race_seconds import seconds_of
from pages.ui import resources

if TYPE_CHECKING:
    import pandas as pd
    from numpy import float64
    from numpy.typing import NDArray


def count(run: Run) -> int:
    """How many measurements a run has made."""
    return resources.store().count_measurements(run.run_id)


def table(entry: SupernetEntry, run: Run, made: int | None = None) -> pd.DataFrame | None:
    """The run's measurements so far, first evaluation first; None while there are none.

    Args:
        entry: the supernet that was searched.
        run: the search.
        made: its `count`, where that has been asked for.
    """
    made = count(run) if made is None else made
    return resources.search_table(run.run_id, made, entry) if made else None


def seconds(run: Run, made: int) -> NDArray[float64] | None:
    """Seconds after each evaluation of a run with so many measurements; None where it did not write them down."""
    # A batch is stored before its seconds: what was read between the two is read again when the state has changed.
    return _seconds(resources.place(), run.run_id, made, run.state.value)


@st.cache_resource(show_spinner=False, max_entries=256)
def _seconds(place: str, run_id: str, made: int, state: str) -> NDArray[float64] | None:
    return seconds_of(resources.store().ledger(run_id).metrics())
