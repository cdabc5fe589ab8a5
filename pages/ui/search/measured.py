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


def table(entry: SupernetEntry, run: Run) -> pd.DataFrame | None:
    """The run's measurements so far, first evaluation first; None while there are none."""
    count = resources.store().count_measurements(run.run_id)
    return resources.search_table(run.run_id, count, entry) if count else None


def seconds(run: Run) -> NDArray[float64] | None:
    """Seconds after each evaluation of a run; None where it did not write them down."""
    return _seconds(run.run_id, resources.store().count_measurements(run.run_id))


@st.cache_resource(show_spinner=False, max_entries=256)
def _seconds(run_id: str, count: int) -> NDArray[float64] | None:
    return seconds_of(resources.store().ledger(run_id).metrics())
