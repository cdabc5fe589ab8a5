"""The store of this installation: what everybody shares, classes included. A student's own runs are in a sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.settings import settings

if TYPE_CHECKING:
    from core.store import RunStore


@st.cache_resource(show_spinner=False)
def home_store() -> RunStore:
    """The store of this installation.

    Raises:
        CoreError: the disk or the database cannot be used.
    """
    from core.store import RunStore

    place = settings()
    return RunStore(place.database_url, place.home, place.files_url)
