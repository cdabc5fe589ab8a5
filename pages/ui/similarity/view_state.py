"""What a session remembers of the Similarity page, and the address that reproduces it.

Two pairs of layers stand for one selection, as on the Front page: the selected one, and the one that the
heatmap outlines when it appears. A click changes the first alone, because a changed figure is a new chart.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.library.networks import MOST_MODELS
from pages.ui import state
from pages.ui.similarity.selection import Asked, Compared, format_view, parse

_PREFIX = "sim-"
_ASKED, _EXTRA, _CELL, _SEED = "view-similarity", "sim-extra", "sim-cell", "sim-cell-seed"


def current() -> Asked:
    """The view from the address if a link brought the visitor here, else the session's own."""
    if (params := state.arrived()) is not None:
        asked = parse(params)
        state.forget_widgets(_PREFIX)
        st.session_state[_ASKED] = asked
        if asked.layer_a and asked.layer_b:
            select_cell(asked.layer_a, asked.layer_b)
    return st.session_state.setdefault(_ASKED, Asked())


def publish(view: Compared) -> dict[str, str]:
    """Keep the view and write it into the address; returns the link's parameters."""
    wanted = format_view(view)
    st.session_state[_ASKED] = parse(wanted)
    return state.to_address(wanted)


def supernet(asked: Asked) -> str:
    """Id of the supernet that the view's first model belongs to, "" for none."""
    first = (asked.a or next(iter(asked.models), "")).split(":")
    return first[1] if len(first) == 3 and first[0] == "subnet" else ""


def add_model(model_id: str, *, as_b: bool = False) -> None:
    """Put a model among the chosen ones; only from a callback, before the widgets are drawn.

    Where there is no room for one more it takes a place: that of B when it becomes B, else the last one that
    is neither A nor B.
    """
    extra: list[str] = st.session_state.setdefault(_EXTRA, [])
    if model_id not in extra:
        extra.append(model_id)
    chosen: list[str] = list(st.session_state.setdefault("sim-models", []))
    if model_id not in chosen:
        while len(chosen) >= MOST_MODELS:
            a, b = st.session_state.get("sim-a"), st.session_state.get("sim-b")
            kept = {a} if as_b else {a, b}
            chosen.remove(b if as_b and b in chosen and b != a else [m for m in chosen if m not in kept][-1])
        st.session_state["sim-models"] = [*chosen, model_id]
    if as_b:
        st.session_state["sim-b"] = model_id


def extra_models() -> list[str]:
    """Models added by hand or from a chart, beyond those suggested."""
    return list(st.session_state.get(_EXTRA, []))


def take_picked() -> None:
    """Carry out what a panel's chart was clicked for: a model becomes B, a layer is selected."""
    if model_id := st.session_state.pop("sim-pick-b", None):
        add_model(model_id, as_b=True)
    if layer := st.session_state.pop("sim-layer-picked", None):
        select_cell(layer, layer)


def select_cell(layer_a: str, layer_b: str) -> None:
    """Select a pair of layers from anywhere but the heatmap."""
    st.session_state[_CELL] = st.session_state[_SEED] = (layer_a, layer_b)


def remember_click(picked: str) -> None:
    """Select the pair of layers that was clicked; the heatmap outlines it by itself."""
    layer_a, _, layer_b = picked.partition("|")
    if layer_a and layer_b:
        st.session_state[_CELL] = (layer_a, layer_b)


def cell(layers_a: Sequence[str], layers_b: Sequence[str]) -> tuple[str, str]:
    """The selected pair; the last layers before the answer where none of these nets is selected."""
    layer_a, layer_b = st.session_state.get(_CELL, ("", ""))
    if layer_a not in layers_a or layer_b not in layers_b:
        last = lambda layers: layers[-2] if len(layers) > 1 else layers[-1]  # noqa: E731
        layer_a = layer_a if layer_a in layers_a else last(layers_a)
        layer_b = layer_b if layer_b in layers_b else last(layers_b)
        select_cell(layer_a, layer_b)
    return layer_a, layer_b


def seed_cell() -> tuple[str, str] | None:
    """The pair that the heatmap outlines when it appears."""
    seed: tuple[str, str] | None = st.session_state.get(_SEED)
    return seed


def samples() -> tuple[int, ...]:
    """Ids of the samples selected on a chart."""
    return tuple(st.session_state.get("sim-samples", ()))
