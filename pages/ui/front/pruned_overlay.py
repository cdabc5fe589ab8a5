"""Pruned networks beside the front: which ones, and what a click on one of them says."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import CoreError
from core.library.networks import describe
from core.library.pruned import as_points, list_pruned, parents
from core.library.supernets import SupernetEntry
from core.objectives.base import all_names, objective
from core.records import Objective
from core.text import display_name, for_markdown
from core.words import format_value, within_sentence
from pages.ui import resources

if TYPE_CHECKING:
    import pandas as pd

PICKED = "front-pruned-picked"


def choose(entry: SupernetEntry, asked: str) -> str:
    """Id of the network whose pruned networks are drawn, "" for none; draws nothing where none was pruned."""
    store = resources.store_or_none()
    known = {p.model_id: p for p in parents(store, entry.supernet_id)}
    if not known:
        return ""
    key = "log-pruned"
    if key not in st.session_state:
        st.session_state[key] = asked
    # None is a choice, too; a network that is gone is not.
    if st.session_state[key] not in known:
        st.session_state[key] = None
    chosen = st.selectbox(
        "Pruned networks",
        list(known),
        index=None,
        format_func=lambda i: display_name(_title(i)),
        key=key,
        placeholder="none",
        help="Networks pruned on the Pruning page, as points beside the front. They were fine-tuned one by one, the subnets of "
        "the front were not.",
    )
    return str(chosen or "")


def _title(model_id: str) -> str:
    try:
        return f"of {describe(resources.store_or_none(), model_id).title}"
    except CoreError:
        return model_id


def points(parent_id: str, x: Objective, y: Objective) -> pd.DataFrame | None:
    """The pruned networks as a table of points, None for none; says so where none has a value on both axes."""
    if not parent_id:
        return None
    found = as_points(list_pruned(resources.store_or_none(), parent_id))
    if not {x.name, y.name} <= set(found) or found[[x.name, y.name]].dropna().empty:
        st.caption(
            f"No pruned network was measured for both {within_sentence(x.label)} and {within_sentence(y.label)}."
        )
        return None
    return found


def revision(table: pd.DataFrame | None) -> str:
    """Changes whenever the points do."""
    return "" if table is None else "/".join(table["model_id"])


def picked(table: pd.DataFrame | None) -> None:
    """The pruned network that was clicked, in a line, with the way to it."""
    model_id = st.session_state.get(PICKED, "")
    rows = table[table["model_id"] == model_id].to_dict("records") if table is not None else []
    if not rows:
        return
    row = rows[0]
    values = " · ".join(
        f"{objective(n).label} {format_value(row[n], objective(n))}"
        for n in all_names()
        if row.get(n, math.nan) == row.get(n)
    )
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="front-pruned"):
        st.markdown(f"**{for_markdown(row['title'])}** · {values}")
        if st.button("Open on the Pruning page", key="front-open-pruned", icon=":material/content_cut:"):
            parent = st.session_state.get("log-pruned") or ""
            st.switch_page("pages/pruning.py", query_params={"parent": parent, "model": model_id})
