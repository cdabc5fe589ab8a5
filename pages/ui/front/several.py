"""Several fronts in one chart: 'the subnet that is best here, where is it there?'"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import CoreError
from core.library.gathered import counts_by_supernet
from core.library.networks import describe
from core.library.pruned import list_pruned, parents
from core.plots.several_fronts import SEPARATOR
from core.text import display_name, for_markdown
from core.views.several_fronts import (
    MOST_FRONTS,
    SeveralFronts,
    by_objectives,
    by_supernets,
    by_tuning,
)
from pages.ui import captions, resources, several_fronts, state
from pages.ui.front import state as front_state
from pages.ui.front.scene import Scene
from pages.ui.front.view import View
from pages.ui.selection import picked_texts
from pages.ui.several_fronts import Chosen

if TYPE_CHECKING:
    pass

KEY = "several-chart"
_PICKED = "closer-several-picked"
_WORDS = {
    "objectives": "Several objectives",
    "supernets": "Several supernets",
    "pruned": "Pruned networks, before and after tuning",
}


def draw(scene: Scene, kept: View, view: View) -> View:
    """What to compare, the chart, where the picked subnet is, how alike the orders are; see `closer.Panel`."""
    chosen = _choose(scene, kept)
    view = replace(view, beside=chosen.beside, fronts=chosen.fronts, normalized=chosen.normalized)
    if not chosen.fronts:
        st.info("Choose at least one front.", icon=":material/info:")
        return view
    try:
        found, key = _fronts(scene, chosen)
    except CoreError as error:
        st.info(for_markdown(error, 600), icon=":material/info:")
        return view
    picked = _picked(scene, found)
    several_fronts.chart(
        found,
        key,
        (scene.chart.log_x, scene.chart.log_y),
        picked,
        widget=KEY,
        on_click=lambda: _remember(scene.shown.entry.supernet_id),
        alt="Several fronts as step lines in one chart; the tables below say where the picked subnet is on each, and "
        "how alike they order the subnets.",
    )
    if several_fronts.where(found, picked, for_markdown(display_name(picked[1], 60)), "subnet"):
        _open(found, *picked)
    several_fronts.in_numbers(found, key, "subnet", f"fronts-{chosen.beside}")
    several_fronts.orders(found, key, "subnets")
    return view


def _choose(scene: Scene, kept: View) -> Chosen:
    offered = _offered(scene)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        state.keep(
            "closer-beside", list(offered), kept.beside if kept.beside in offered else next(iter(offered))
        )
        beside = st.segmented_control(
            "Fronts of",
            list(offered),
            format_func=_WORDS.__getitem__,
            key="closer-beside",
            required=True,
            help="The same subnets by several objectives across (latency on several devices, say); several supernets by "
            "the objectives of this page; pruned networks before and after they were fine-tuned.",
        )
        names = offered[str(beside)]
        fronts = several_fronts.choose_fronts(
            f"closer-fronts-{beside}",
            names,
            kept.fronts if (kept.beside or "objectives") == beside else (),
            lambda: _usual(str(beside), names, scene),
            most=1 if beside == "pruned" else MOST_FRONTS,
            about="The network that was pruned." if beside == "pruned" else "",
        )
        normalized = beside == "supernets" and _choose_scale(kept)
    return Chosen(str(beside), fronts, normalized)


def _choose_scale(kept: View) -> bool:
    state.start("closer-normalized", kept.normalized)
    return bool(
        st.toggle(
            "In shares of the largest",
            key="closer-normalized",
            help="Each front in percent of its supernet's own largest values: shapes compare although sizes and data differ.",
        )
    )


def _offered(scene: Scene) -> dict[str, dict[str, str]]:
    """What can be compared: id -> what a person reads, by kind; objectives always, the others where there are any."""
    goals = [g for g in scene.shown.goals if g.for_choosing and g.maximize == scene.x.maximize]
    found = {"objectives": {g.name: g.label for g in goals if g.name != scene.y.name}}
    store, here = resources.store_or_none(), scene.shown.entry
    made = counts_by_supernet(store)
    others = {
        e.supernet_id: display_name(e.title)
        for e in resources.entries()
        if e.task == here.task and (e.read_table is not None or e.supernet_id in made)
    }
    if len(others) > 1:
        found["supernets"] = others
    pruned = {p.parent_id: _title(p.parent_id) for p in parents(store, scene.shown.entry.supernet_id)}
    return found | ({"pruned": pruned} if pruned else {})


def _title(network_id: str) -> str:
    try:
        return display_name(describe(resources.store_or_none(), network_id).title)
    except CoreError:
        return display_name(network_id)


def _usual(beside: str, names: dict[str, str], scene: Scene) -> list[str]:
    first = {"objectives": scene.x.name, "supernets": scene.shown.entry.supernet_id}.get(beside, "")
    ordered = [name for name in (first, *names) if name in names]
    return list(dict.fromkeys(ordered))[: 1 if beside == "pruned" else 2]


def _fronts(scene: Scene, chosen: Chosen) -> tuple[SeveralFronts, str]:
    """The fronts and a key that changes whenever they do."""
    key = f"{scene.chart.key}{scene.x.name}/{scene.y.name}{chosen}"
    if chosen.beside == "objectives":
        return _by_objectives(key, chosen.fronts, scene), key
    if chosen.beside == "supernets":
        entries = {e.supernet_id: e for e in resources.entries()}
        there = [entries[i] for i in chosen.fronts if i in entries]
        read = [(e, *captions.read_table(e, "")[1:]) for e in there]
        tables = [(e, table) for e, _, table in read if table is not None]
        key += "".join(revision for _, revision, _ in read)
        return by_supernets(tables, scene.x, scene.y, normalized=chosen.normalized), key
    models = list_pruned(resources.store_or_none(), chosen.fronts[0])
    key += "".join(model.model_id for model in models)
    return by_tuning(models, scene.front.table, scene.x, scene.y), key


@st.cache_resource(show_spinner=False, max_entries=16)
def _by_objectives(key: str, costs: tuple[str, ...], _scene: Scene) -> SeveralFronts:
    return by_objectives(_scene.front.table, costs, _scene.y.name)


def _remember(supernet_id: str) -> None:
    """A subnet of this supernet is selected on the whole page, any other thing only here."""
    for text in picked_texts(st.session_state.get(KEY))[:1]:
        series, _, identity = text.partition(SEPARATOR)
        beside = st.session_state.get("closer-beside")
        if (
            beside == "objectives"
            or (beside == "supernets" and series == supernet_id)
            or series == "supernet"
        ):
            st.session_state.pop(_PICKED, None)
            front_state.select(identity)
        else:
            st.session_state[_PICKED] = (series, identity)


def _picked(scene: Scene, found: SeveralFronts) -> tuple[str, str]:
    """(series, id) of what was clicked here, else the page's subnet in the series that it belongs to."""
    series, identity = st.session_state.get(_PICKED, ("", ""))
    if any(each.key == series and identity in each.ids for each in found.series):
        return series, identity
    here = scene.shown.entry.supernet_id
    own = next((each.key for each in found.series if each.key in (here, "supernet")), found.series[0].key)
    return own, front_state.selected()


def _open(found: SeveralFronts, series: str, identity: str) -> None:
    """The way to a subnet of another supernet, or to a pruned network."""
    if identity == front_state.selected():
        return
    beside = st.session_state.get("closer-beside")
    if beside == "supernets" and st.button(
        "Open it on its own front", key="several-open", icon=":material/arrow_forward:"
    ):
        st.switch_page("pages/front.py", query_params={"supernet": series, "sid": identity})
    if beside == "pruned" and st.button(
        "Open on the Pruning page", key="several-pruned", icon=":material/content_cut:"
    ):
        parents_chosen: Sequence[str] = st.session_state.get("closer-fronts-pruned", ())
        query = {"parent": parents_chosen[0] if parents_chosen else "", "model": identity}
        st.switch_page("pages/pruning.py", query_params=query)
