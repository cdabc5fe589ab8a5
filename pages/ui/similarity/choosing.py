"""Which models, which measure, which samples: the settings bar of the Similarity page."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import streamlit as st
from pydantic import ValidationError

from core.errors import CoreError
from core.library.activations import ProbeChoice
from core.library.gathered import MEASURING
from core.library.matrices import MOST_NETWORKS
from core.library.networks import MOST_MODELS, ModelInfo, describe, subnet_id
from core.library.searches import KIND as SEARCH
from core.library.supernets import SupernetEntry
from core.networks.poolings import MEANINGS, POOLINGS
from core.objectives.base import objective, usual_pair
from core.registry import PluginInfo
from core.similarity.base import MEASURES
from core.text import display_name, for_markdown
from core.words import format_value
from pages.ui import baskets, resources, state, terms
from pages.ui.forms import complaint, config_form, field_number
from pages.ui.progress import all_runs
from pages.ui.search import measured
from pages.ui.similarity import view_state
from pages.ui.similarity.selection import Asked

_SPLITS = {"validation": "Validation samples", "test": "Test samples", "train": "Training samples"}
_ACROSS = 4


@dataclass(frozen=True)
class Settings:
    """How the networks are compared."""

    measure: str
    config: dict[str, Any]
    pooling: str
    inside: bool
    probe: ProbeChoice


def choose_models(entry: SupernetEntry, asked: Asked) -> tuple[ModelInfo, ...]:
    """The models of this session: suggested, from the basket, added by hand or brought by a link."""
    store = resources.store_or_none()
    known = {info.model_id: info for info in resources.suggested(entry)}
    others = _of_basket(entry)
    for model_id in [*others, *asked.models[:MOST_MODELS], *view_state.extra_models()]:
        if model_id not in known:
            try:
                known[model_id] = describe(store, model_id)
            except CoreError as error:
                st.warning(for_markdown(error, 600), icon=":material/link_off:")
    if "sim-models" not in st.session_state:
        st.session_state["sim-models"] = [m for m in asked.models if m in known][:MOST_MODELS] or list(known)[
            :2
        ]
    st.session_state["sim-models"] = [m for m in st.session_state["sim-models"] if m in known]
    chosen = st.multiselect(
        "Networks",
        list(known),
        format_func=lambda i: display_name(known[i].title),
        key="sim-models",
        max_selections=MOST_MODELS,
        placeholder="Choose the networks to compare",
        help="Subnets of this supernet, those in the basket, and networks trained alone. "
        "Two of them are compared layer by layer; the maps below show all. Up to forty stand in the matrix below.",
    )
    return tuple(known[model_id] for model_id in chosen)


def say_what_is_not_shown() -> None:
    """A link that names more networks than the choosers hold says so, and where all of them are."""
    if not (named := view_state.more_than_shown()):
        return
    shown = min(named, MOST_NETWORKS)
    rest = "" if named <= MOST_NETWORKS else f" (the first {MOST_NETWORKS}, more it does not hold)"
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="sim-more-named"):
        st.markdown(
            f"The link names {named} networks. The choosers below hold {MOST_MODELS}: the first ones are there. "
            f"The matrix shows {shown} of them{rest}."
        )
        st.button(
            "Show the matrix",
            key="sim-open-matrix",
            on_click=view_state.open_matrix,
            icon=":material/table:",
        )


def _of_basket(entry: SupernetEntry) -> list[str]:
    """Networks of this supernet in the basket, in whatever way they were made."""
    store, basket, found = resources.store_or_none(), baskets.current(), []
    for model_id in basket.network_ids if basket else ():
        with suppress(CoreError):  # the Basket page says what is missing
            if describe(store, model_id).supernet_id == entry.supernet_id:
                found.append(model_id)
    return found


def put_aside(a: ModelInfo, b: ModelInfo) -> None:
    """The two compared networks into the basket."""
    with st.container(horizontal=True, key="sim-basket"):
        for name, info in {"A": a, "B": b}.items():
            if name == "A" or info.model_id != a.model_id:
                baskets.button(info.model_id, info.title, key=f"basket-add-{name.lower()}", what=name)


def add_by_hand(entry: SupernetEntry) -> None:
    """One chooser per choice of the space; adds that subnet."""
    terms.caption("Compose a subnet choice by choice.")
    space = entry.space
    options: dict[str, object] = {}
    columns = st.columns(_ACROSS, gap="small")
    for index, choice in enumerate(space.choices):
        with columns[index % _ACROSS]:
            options[choice.name] = st.selectbox(
                choice.name, choice.options, index=len(choice.options) - 1, key=f"sim-hand-{choice.name}"
            )
    arch = space.canonical([c.options.index(options[c.name]) for c in space.choices])
    model_id = subnet_id(entry, space.arch_id(arch))
    st.button(
        "Add this subnet",
        key="sim-hand-add",
        on_click=view_state.add_model,
        args=(model_id,),
        icon=":material/add:",
    )


def add_from_search(entry: SupernetEntry) -> None:
    """A subnet of the front that a search or a sample of this supernet found."""
    runs = {r.run_id: r for r in all_runs(MEASURING) if r.params.get("supernet") == entry.supernet_id}
    if not runs:
        terms.caption("Or from a search: there is none of this supernet yet.")
        return
    terms.caption("Or from the front that a search found.")
    run_id = st.selectbox(
        "Search", list(runs), format_func=lambda i: display_name(runs[i].title), key="sim-search"
    )
    table = measured.table(entry, runs[run_id])
    asked = [n for n in runs[run_id].params.get("objectives", []) if table is not None and n in table]
    goals = asked[:2] if runs[run_id].kind == SEARCH else list(usual_pair(asked) or ())
    if table is None or len(goals) < 2:
        terms.caption("This search has measured nothing yet that makes a front.")
        return
    members = resources.front(f"{run_id}-{len(table)}", tuple(goals), (), table).members
    texts = {
        str(row["arch_id"]): " · ".join(
            [*(format_value(row[g], objective(g)) for g in goals), str(row["arch_id"])]
        )
        for row in members.to_dict("records")
    }
    chosen = st.selectbox(
        "Subnet of its front", list(texts), format_func=texts.__getitem__, key="sim-search-subnet"
    )
    st.button(
        "Add this one",
        key="sim-search-add",
        on_click=view_state.add_model,
        args=(subnet_id(entry, chosen),),
        icon=":material/add:",
    )


def choose_pair(models: Sequence[ModelInfo], asked: Asked) -> tuple[ModelInfo, ModelInfo]:
    """The two models whose layers are compared; they may be the same one."""
    by_id = {m.model_id: m for m in models}
    ids = list(by_id)
    start = {"sim-a": asked.a or ids[0], "sim-b": asked.b or ids[min(1, len(ids) - 1)]}
    found = []
    for key, label, fallback in (("sim-a", "A", ids[0]), ("sim-b", "B", ids[min(1, len(ids) - 1)])):
        state.keep(key, by_id, start[key] if start[key] in by_id else fallback)
        chosen = st.selectbox(
            label, ids, format_func=lambda i: display_name(by_id[i].title), key=key, width=260
        )
        found.append(by_id[chosen])
    return found[0], found[1]


def choose_settings(asked: Asked) -> Settings:
    """Measure, pooling, layers and probe."""
    measures = {info.name: info for info in layer_measures()}
    _start("sim-measure", asked.measure, measures)
    measure = st.selectbox(
        "Measure",
        list(measures),
        format_func=lambda n: measures[n].label,
        key="sim-measure",
        width=230,
        help="\n\n".join(f"**{i.label}**: {i.summary} *{i.source}*" for i in measures.values()),
    )
    _start("sim-pooling", asked.pooling, POOLINGS)
    pooling = st.selectbox(
        "Features",
        POOLINGS,
        format_func=str.capitalize,
        key="sim-pooling",
        width=140,
        help="\n\n".join(f"**{name.capitalize()}**: {text}" for name, text in MEANINGS.items()),
    )
    with st.popover("More", icon=":material/more_horiz:", key="sim-more"):
        inside, probe = _choose_probe(asked)
        config = _choose_config(measure, asked)
    return Settings(measure, config, pooling, inside, probe)


def _choose_probe(asked: Asked) -> tuple[bool, ProbeChoice]:
    for key, value in (
        ("sim-inside", asked.inside),
        ("sim-split", asked.probe.split),
    ):
        state.start(key, value)
    inside = st.toggle(
        "Layers inside the stages",
        key="sim-inside",
        help="Also every convolution, normalization and linear layer, before its activation function.",
    )
    split = st.selectbox("Samples from", list(_SPLITS), format_func=_SPLITS.__getitem__, key="sim-split")
    n = field_number(
        ProbeChoice,
        "n",
        "At most this many",
        key="sim-n",
        value=asked.probe.n,
        help="Drawn by class. Small numbers flatter many measures: try it.",
    )
    seed = field_number(ProbeChoice, "seed", "Seed of the draw", key="sim-seed", value=asked.probe.seed)
    return inside, ProbeChoice(split=split, n=n, seed=seed)


def _choose_config(measure: str, asked: Asked) -> dict[str, Any]:
    plugin = MEASURES.get(measure)
    if not plugin.Config.model_fields:
        return {}
    st.caption(f"Settings of {plugin.label}")
    start = plugin.Config().model_dump() | (dict(asked.config) if asked.measure == measure else {})
    values = config_form(plugin.Config, f"sim-config-{measure}", start=start, columns=1)
    try:
        settings: dict[str, Any] = plugin.Config.model_validate(values).model_dump()
    except ValidationError as error:
        st.warning(for_markdown(complaint(error)))
        return {}
    return settings


@st.cache_resource(show_spinner=False)
def layer_measures() -> list[PluginInfo]:
    """Measures of layers, the default first."""
    found = [info for info in MEASURES.describe() if MEASURES.get(info.name).of == "activations"]
    return sorted(found, key=lambda info: (info.name != "cka", MEASURES.get(info.name).kind, info.label))


def _start(key: str, wanted: str, allowed: Any) -> None:
    state.keep(key, allowed, wanted if wanted in allowed else next(iter(allowed)))
