"""The audit log, for administrators: who did and was refused what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.errors import CoreError
from core.people import Action, told_apart
from core.text import for_markdown
from core.views import who_did_what
from pages.ui.people import door

if TYPE_CHECKING:
    from core.store import RunStore


def draw(store: RunStore) -> None:
    """Nothing where people are not told apart, and for those who do not administer."""
    if not told_apart() or store.sandbox_id or not door.may(Action.SEE_AUDIT):
        return
    st.header("Who did what", anchor=False)
    try:
        rows = who_did_what.entries(store)
        whole = who_did_what.as_csv(store)
    except CoreError as error:
        st.warning(for_markdown(error, 600))
        return
    if not rows:
        st.caption("Nothing has been done yet.")
        return
    st.caption(
        f"The last {len(rows)} entries, newest first. `python -m core check` compares each with the one before; the last hash is "
        f"{store.audit.last_hash()[:16]}…"
    )
    st.dataframe(rows, key="audit-table", hide_index=True, width="stretch", alt="Audit log, newest first")
    st.download_button(
        "Audit log as CSV",
        whole,
        "audit.csv",
        "text/csv",
        key="audit-csv",
        on_click="ignore",
        icon=":material/table:",
    )
