"""The Similarity page's view, and what is selected on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from core.library.matrices import MOST_NETWORKS
from core.library.networks import MOST_MODELS, describe
from pages.ui import resources, state
from pages.ui.address import PageAddress, missing, present
from pages.ui.selection import SelectedSamples, Selection
from pages.ui.similarity.selection import MATRIX, Asked

_EXTRA, _PICK_B, _PICK_LAYER = "sim-extra", "sim-pick-b", "sim-layer-picked"
_PICK_PAIR, _NETWORKS, _MANY, TABS = "sim-pick-pair", "sim-matrix", "sim-many", "sim-tabs"

selection: Selection[tuple[str, str]] = Selection("sim-cell", "sim-cell-seed", ("", ""))
"""The selected pair of layers."""
samples = SelectedSamples("sim-samples")
_LINKED = "sim-linked-layers"


def _select(asked: Asked) -> None:
    st.session_state[_LINKED] = (asked.layer_a, asked.layer_b)
    if asked.layer_a and asked.layer_b:
        selection.select((asked.layer_a, asked.layer_b))
    named = asked.matrix or (asked.models if len(asked.models) > MOST_MODELS else ())
    set_networks(named)
    st.session_state[_MANY] = (
        len(named) if len(named) > (MOST_NETWORKS if asked.matrix else MOST_MODELS) else 0
    )


def _keep(asked: Asked) -> tuple[Asked, list[str]]:
    there, absent = present(asked.models, lambda model_id: describe(resources.store_or_none(), model_id))
    of_matrix, gone = present(asked.matrix, lambda model_id: describe(resources.store_or_none(), model_id))
    kept = replace(asked, models=tuple(there), matrix=tuple(of_matrix)).checked()
    return kept, [*absent, *(each for each in gone if each not in absent)]


address = PageAddress(
    Asked, key="view-similarity", widgets=("sim-", "pick-supernet"), on_arrival=_select, keep=_keep
)


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
    chosen: list[str] = list(state.start("sim-models", []))
    if model_id not in chosen:
        while len(chosen) >= MOST_MODELS:
            a, b = st.session_state.get("sim-a"), st.session_state.get("sim-b")
            kept = {a} if as_b else {a, b}
            chosen.remove(b if as_b and b in chosen and b != a else [m for m in chosen if m not in kept][-1])
        st.session_state["sim-models"] = [*chosen, model_id]
    if as_b:
        st.session_state["sim-b"] = model_id


def networks() -> tuple[str, ...]:
    """Ids of the networks in the matrix."""
    return tuple(st.session_state.get(_NETWORKS, ()))


def set_networks(network_ids: Sequence[str]) -> int:
    """Put these into the matrix, each once and no more than it holds; returns how many found no place."""
    wanted = list(dict.fromkeys(network_ids))
    st.session_state[_NETWORKS] = wanted[:MOST_NETWORKS]
    return max(len(wanted) - MOST_NETWORKS, 0)


def more_than_shown() -> int:
    """How many networks a link named, where they are more than the page shows; 0 otherwise."""
    return int(st.session_state.get(_MANY, 0))


def open_matrix() -> None:
    """Callback: show the matrix of all networks that a link named."""
    st.session_state[TABS], st.session_state[_MANY] = MATRIX, 0


def extra_models() -> list[str]:
    """Models added by hand or from a chart, beyond those suggested."""
    return list(st.session_state.get(_EXTRA, []))


def take_picked() -> None:
    """Carry out what a panel's chart was clicked for: a model becomes B, a layer is selected."""
    for as_b, model_id in enumerate(st.session_state.pop(_PICK_PAIR, ())):
        add_model(model_id, as_b=bool(as_b))
        st.session_state["sim-b" if as_b else "sim-a"] = model_id
    if model_id := st.session_state.pop(_PICK_B, None):
        add_model(model_id, as_b=True)
    if layer := st.session_state.pop(_PICK_LAYER, None):
        selection.select((layer, layer))


def pick_b(model_id: str) -> None:
    """From a chart's callback: this model becomes B at the next run."""
    st.session_state[_PICK_B] = model_id


def pick_pair(picked: str) -> None:
    """From a chart's callback: these two ("id|id") become A and B at the next run."""
    first, _, second = picked.partition("|")
    if first and second:
        st.session_state[_PICK_PAIR] = (first, second)


def pick_layer(layer: str) -> None:
    """From a chart's callback: this layer of both is selected at the next run."""
    st.session_state[_PICK_LAYER] = layer


def clicked(picked: str) -> None:
    """Select the pair of layers "a|b" that was clicked; the heatmap outlines it by itself."""
    layer_a, _, layer_b = picked.partition("|")
    if layer_a and layer_b:
        selection.clicked((layer_a, layer_b))


def cell(layers_a: Sequence[str], layers_b: Sequence[str]) -> tuple[str, str]:
    """The selected pair; the last layers before the answer where none of these nets is selected."""
    for linked, layers in zip(st.session_state.pop(_LINKED, ()), (layers_a, layers_b), strict=False):
        if linked and linked not in layers:
            address.also_missing(missing("layer", linked, layers))
    layer_a, layer_b = selection.now()
    if layer_a not in layers_a or layer_b not in layers_b:
        layer_a = layer_a if layer_a in layers_a else _last(layers_a)
        layer_b = layer_b if layer_b in layers_b else _last(layers_b)
        selection.select((layer_a, layer_b))
    return layer_a, layer_b


def _last(layers: Sequence[str]) -> str:
    return layers[-2] if len(layers) > 1 else layers[-1]
