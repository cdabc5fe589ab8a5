"""The store of this installation: what everybody shares, classes included. A student's own runs are in a sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.errors import CoreError
from core.people import own_work
from core.settings import settings
from core.text import for_markdown

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
    with own_work():
        return RunStore(place.database_url, place.home, place.files_url)


def home_is_open() -> bool:
    """Whether this installation's store can be used, for those who are in no file of people too; says why not."""
    try:
        home_store()
    except CoreError as error:
        st.warning(f"Only looking is possible: {for_markdown(error, 600)}", icon=":material/lock:")
        return False
    return True
