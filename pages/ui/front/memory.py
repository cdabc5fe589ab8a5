"""The sliders of a language model's memory: context, batch and the precision of its weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from core.views.memory import (
    BATCHES,
    CACHES,
    CONTEXTS,
    MEMORY,
    PRECISIONS,
    Setting,
    has_memory,
    parts,
    with_memory,
)
from core.words import format_count
from pages.ui import state
from pages.ui.front import state as front_state
from pages.ui.front.view import View

if TYPE_CHECKING:
    import pandas as pd

_CONTEXT, _BATCH, _PRECISION, _CACHE = "memory-context", "memory-batch", "memory-precision", "memory-cache"


def setting(view: View) -> Setting:
    """What the sliders say, before they are drawn; where there are none, what the view says."""
    held = st.session_state.get
    return Setting(
        context=held(_CONTEXT, view.context),
        batch=held(_BATCH, view.batch),
        precision=held(_PRECISION, view.precision),
        cache=held(_CACHE, view.cache),
    )


def set_context(context: int) -> bool:
    """Move the slider of the page, which must run again; returns whether it stood elsewhere."""
    if setting(front_state.kept_view()).context == context:
        return False
    front_state.set_context(context)
    st.session_state[_CONTEXT] = context
    return True


def at(revision: str, table: pd.DataFrame, chosen: Setting) -> tuple[str, pd.DataFrame]:
    """Revision and table with memory at a setting; what they are where the table has none."""
    if not has_memory(table):
        return revision, table
    return f"{revision}@{chosen.key}", _with_memory(revision, chosen, table)


@st.cache_resource(show_spinner=False, max_entries=32)
def _with_memory(revision: str, chosen: Setting, _table: pd.DataFrame) -> pd.DataFrame:
    return with_memory(_table, chosen)


def lines(values: Mapping[str, float], view: View) -> list[str]:
    """What the card says of a subnet's memory below its numbers; nothing of networks without a cache."""
    sentence = parts(values, setting(view))
    return [sentence] if sentence else []


def _label(name: str) -> str:
    return PRECISIONS[name].label


def sliders(view: View, chosen: Setting, used: Iterable[str]) -> View:
    """Draw them where memory is looked at; returns the view with what they say.

    Args:
        view: of the page.
        chosen: what they say now, see `setting`.
        used: names of the objectives that are looked at.
    """
    view = replace(view, **vars(chosen))
    if MEMORY not in used:
        return view
    with st.container(key="memory-bar", horizontal=True, vertical_alignment="bottom", gap="small"):
        state.keep(_CONTEXT, CONTEXTS, chosen.context)
        st.select_slider(
            "Context (tokens)",
            CONTEXTS,
            key=_CONTEXT,
            format_func=format_count,
            width=290,
            help="How many tokens of each text the KV cache holds. Memory, the front and the knee follow; what a network was "
            "trained to read may be shorter.",
        )
        state.keep(_BATCH, BATCHES, chosen.batch)
        st.select_slider(
            "Batch (texts at once)",
            BATCHES,
            key=_BATCH,
            format_func=format_count,
            width=175,
            help="Every text of the batch has a cache of its own; all of them share the weights.",
        )
        state.keep(_PRECISION, list(PRECISIONS), chosen.precision)
        st.selectbox(
            "Weights kept as",
            list(PRECISIONS),
            key=_PRECISION,
            format_func=_label,
            width=232,
            help="Bytes per weight, counted and not measured: nothing was rounded, so what fewer bits do to the answers is not "
            "in the chart, and the scales that such weights come with are left out.",
        )
        state.keep(_CACHE, CACHES, chosen.cache)
        st.selectbox(
            "KV cache kept as",
            CACHES,
            key=_CACHE,
            format_func=_label,
            width=232,
            help="Bytes of each number in the KV cache, counted as well. Keys and values of each layer and each token are kept.",
        )
    return view
