"""Which networks stand in the similarity matrix, where they are compared, and in which order they are shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from core.errors import CoreError
from core.library.matrices import MOST_NETWORKS, MatrixChoice
from core.library.networks import ModelInfo, describe
from core.library.supernets import SupernetEntry
from core.people import Action
from core.similarity.base import MEASURES
from core.text import display_name, for_markdown
from core.views import similarity_matrix as views
from core.words import format_share
from pages.ui import baskets, checked, resources, state, terms
from pages.ui.forms import number
from pages.ui.similarity import view_state
from pages.ui.similarity.selection import ALIKE, CHOSEN, Asked, Compared, MatrixView

_PLACE, _DEPTH, _STAGE, _ANSWERS, _ORDER = (
    "sim-matrix-place",
    "sim-matrix-depth",
    "sim-matrix-stage",
    "sim-matrix-answers",
    "sim-matrix-order",
)
_PLACES = {
    "depth": "One stage, by depth",
    "name": "One stage, by name",
    "all": "All stages, their mean",
    "answers": "The answers",
}
_ORDERS = {ALIKE: "Alike together", CHOSEN: "As chosen"}
_FIRST_RANDOM = 20


def now(asked: Asked) -> MatrixView:
    """The panel's part of the view, from its widgets; from the link or the defaults before they were drawn."""
    kind, _, detail = asked.place.partition(":")
    state.start(_PLACE, kind)
    state.start(_DEPTH, round(100 * float(detail)) if kind == "depth" else 100)
    state.start(_ORDER, asked.order)
    chosen = str(st.session_state[_PLACE])
    details = {
        "depth": f"{st.session_state[_DEPTH] / 100:g}",
        "name": str(state.start(_STAGE, detail if kind == "name" else "")),
        "answers": str(state.start(_ANSWERS, detail if kind == "answers" else "")),
    }
    place = (
        f"{chosen}:{details[chosen]}" if details.get(chosen) else ("all" if chosen == "all" else "depth:1")
    )
    return MatrixView(view_state.networks(), place, str(st.session_state[_ORDER]))


def choose_networks(entry: SupernetEntry, view: Compared) -> tuple[str, ...]:
    """Fill the matrix by the front, by chance, by what was pruned, trained alone or put aside; returns the ids."""
    chosen = view_state.networks()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        with st.popover("Add networks", icon=":material/add:", key="sim-matrix-add"):
            _add(entry, view)
        with st.popover(f"{len(chosen)} of at most {MOST_NETWORKS} networks", key="sim-matrix-list"):
            _list(chosen)
        if chosen:
            st.button(
                "Clear",
                key="sim-matrix-clear",
                on_click=view_state.set_networks,
                args=((),),
                icon=":material/close:",
            )
    return view_state.networks()


def _add(entry: SupernetEntry, view: Compared) -> None:
    store = resources.store_or_none()
    entries = {each.supernet_id: each for each in views.of_one_data_set(store, entry)}
    source = entry
    if len(entries) > 1:
        state.keep("sim-matrix-supernet", entries, entry.supernet_id)
        source = entries[
            st.selectbox(
                "From",
                list(entries),
                format_func=lambda i: display_name(entries[i].title),
                key="sim-matrix-supernet",
                help="Supernets that were trained on the same data: their networks stand in one matrix.",
            )
        ]
    basket = baskets.current()
    front = views.on_the_front(source, store=resources.store_or_none())
    ways = [
        ("Those chosen above", [m.model_id for m in view.models]),
        ("The front", front),
        ("All pruned networks", views.pruned_of(store, source.supernet_id)),
        ("All trained alone", views.alone_of(store, source.supernet_id)),
        ("The basket", list(basket.network_ids) if basket else []),
    ]
    for label, ids in ways:
        st.button(
            f"{label} ({len(ids)})",
            key=f"sim-matrix-add-{label}",
            on_click=_put,
            args=(ids,),
            disabled=not ids,
            width="stretch",
        )
    with checked.form() as around:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            number("Random subnets", (1, MOST_NETWORKS), value=_FIRST_RANDOM, key="sim-matrix-n")
            number("Seed", (0, 10**9), value=0, key="sim-matrix-seed")
        around.start(
            "Add random subnets",
            key="sim-matrix-add-random",
            on_click=_put_random,
            args=(source,),
            action=Action.LOOK,
            width="stretch",
        )


def _put_random(entry: SupernetEntry) -> None:
    """Callback; the numbers are read here, for they may have changed with the same click."""
    n, seed = (int(st.session_state[key]) for key in ("sim-matrix-n", "sim-matrix-seed"))
    if 1 <= n <= MOST_NETWORKS and seed >= 0:
        _put(views.at_random(entry, n, seed))


def _put(ids: Sequence[str]) -> None:
    """Callback: add these; what finds no place is said."""
    if over := view_state.set_networks([*view_state.networks(), *ids]):
        st.toast(f"The matrix holds {MOST_NETWORKS} networks: {over} found no place.", icon=":material/info:")


def _list(chosen: Sequence[str]) -> None:
    """The networks one by one, to take some out again."""
    if not chosen:
        terms.caption("None yet. Add networks: the front, random subnets, what was pruned.")
        return
    names = {network_id: _title(network_id) for network_id in chosen}
    st.session_state["sim-matrix-ids"] = list(chosen)
    st.multiselect(
        "Networks in the matrix",
        list(names),
        format_func=lambda i: display_name(names[i]),
        key="sim-matrix-ids",
        on_change=lambda: view_state.set_networks(st.session_state["sim-matrix-ids"]),
        width=520,
    )


def _title(network_id: str) -> str:
    info = _described(network_id)
    return info.title if info else network_id


def _described(network_id: str) -> ModelInfo | None:
    try:
        return describe(resources.store_or_none(), network_id)
    except CoreError:
        return None


def choose_place(networks: Sequence[str]) -> None:
    """Which stage, and the order of the rows."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        place = st.selectbox(
            "Compared at",
            list(_PLACES),
            format_func=_PLACES.__getitem__,
            key=_PLACE,
            width=220,
            help="By depth: the stage at the same share of every network's depth. By name: networks without that stage "
            "have no value. All stages: the mean of the values of the stages at equal shares of depth.",
        )
        _DETAILS.get(place, _no_detail)(networks)
        st.segmented_control(
            "Order",
            list(_ORDERS),
            format_func=_ORDERS.__getitem__,
            key=_ORDER,
            required=True,
            help="Alike together: hierarchical clustering with average linkage, leaves in optimal order.",
        )


def _no_detail(networks: Sequence[str]) -> None:
    del networks


def _depth(networks: Sequence[str]) -> None:
    del networks
    st.slider(
        "Depth",
        0,
        100,
        step=5,
        format="%d %%",
        key=_DEPTH,
        width=200,
        help="0 % is the first stage, 100 % the last one before the answer.",
    )


def _stage(networks: Sequence[str]) -> None:
    try:
        names = list(
            dict.fromkeys(
                name
                for network_id in networks[:MOST_NETWORKS]
                for name in views.stage_names(resources.store_or_none(), network_id)
            )
        )
    except CoreError as error:
        st.warning(for_markdown(error, 300))
        names = []
    if names:
        state.keep(_STAGE, names, names[-2] if len(names) > 1 else names[0])
        st.selectbox("Stage", names, format_func=display_name, key=_STAGE, width=180)


def _answers(networks: Sequence[str]) -> None:
    del networks
    infos = {info.name: info for info in MEASURES.describe() if MEASURES.get(info.name).of == "outputs"}
    state.keep(_ANSWERS, infos, next(iter(infos)))
    st.selectbox(
        "Measure of answers",
        list(infos),
        format_func=lambda n: infos[n].label,
        key=_ANSWERS,
        width=260,
        help="\n\n".join(f"**{i.label}**: {i.summary} *{i.source}*" for i in infos.values()),
    )


_DETAILS: dict[str, Callable[[Sequence[str]], None]] = {"depth": _depth, "name": _stage, "answers": _answers}


def as_choice(view: Compared) -> MatrixChoice:
    """What is asked of the networks; raises pydantic's error where a part of it does not fit."""
    kind, _, detail = view.matrix.place.partition(":")
    answers = kind == "answers"
    return MatrixChoice(
        networks=view.matrix.networks,
        place="depth" if answers else kind,
        depth=float(detail) if kind == "depth" else 1.0,
        name=detail if kind == "name" else "",
        measure=detail if answers else view.measure,
        config={} if answers else dict(view.config),
        pooling="pooled" if answers else view.pooling,
        probe=view.probe,
    )


def in_words(choice: MatrixChoice) -> str:
    """Where the networks are compared, for captions."""
    if MEASURES.get(choice.measure).of == "outputs":
        return "answers"
    where = {
        "depth": f"the stage at {format_share(choice.depth)} of the depth",
        "name": f"stage {choice.name}",
        "all": "all stages, mean of the values at equal shares of depth",
    }[choice.place]
    return f"{where}, {choice.pooling} features"
