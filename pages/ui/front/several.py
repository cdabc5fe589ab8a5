"""Several fronts in one chart: 'the subnet that is best here, where is it there?'"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import CoreError
from core.library.networks import describe
from core.library.pruned import list_pruned, parents
from core.plots.finished import finished
from core.plots.several_fronts import SEPARATOR, several_figure
from core.text import display_name, for_markdown
from core.views.several_fronts import (
    MOST_FRONTS,
    SeveralFronts,
    agreement_rows,
    agreements,
    by_objectives,
    by_supernets,
    by_tuning,
    place_rows,
    places,
)
from pages.ui import captions, resources, state
from pages.ui.front import state as front_state
from pages.ui.front.scene import Scene
from pages.ui.front.view import View
from pages.ui.selection import picked_texts
from pages.ui.setup import note
from pages.ui.tables import html_table

if TYPE_CHECKING:
    import plotly.graph_objects as go

KEY = "several-chart"
_PICKED = "closer-several-picked"
_WORDS = {
    "objectives": "Several objectives",
    "supernets": "Several supernets",
    "pruned": "Pruned networks, before and after tuning",
}


@dataclass(frozen=True)
class _Chosen:
    """What is compared: one of `BESIDE`, the ids of the fronts, shares instead of units."""

    beside: str
    fronts: tuple[str, ...]
    normalized: bool


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
    for sentence in found.told:
        st.caption(for_markdown(sentence, 600))
    series, identity = _picked(scene, found)
    st.plotly_chart(
        _figure(key, scene.chart.log_x, scene.chart.log_y, identity, series, found),
        key=KEY,
        on_select=lambda: _remember(scene.shown.entry.supernet_id),
        selection_mode="points",
        width="stretch",
        alt="Several fronts as step lines in one chart; the tables below say where the picked subnet is on each, and "
        "how alike they order the subnets.",
        config={
            "displaylogo": False,
            "scrollZoom": True,
            "modeBarButtonsToRemove": ["autoScale2d", "select2d", "lasso2d"],
        },
    )
    _where(found, series, identity)
    if rows := _agreements(key, found):
        st.markdown(
            "**How alike they order the subnets**",
            help="Rank correlations over all subnets with both values: 1 is the same order, 0 none. Spearman's compares ranks, "
            "Kendall's counts pairs in the same order (tau-b). Members shared: on both fronts, of those on the first.",
        )
        html_table(rows, "Rank correlation of every two fronts")
    return view


def _choose(scene: Scene, kept: View) -> _Chosen:
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
        fronts = _choose_fronts(str(beside), names, kept, scene)
        normalized = beside == "supernets" and _choose_scale(kept)
    return _Chosen(str(beside), fronts, normalized)


def _choose_fronts(beside: str, names: dict[str, str], kept: View, scene: Scene) -> tuple[str, ...]:
    key = f"closer-fronts-{beside}"
    if key not in st.session_state:
        wanted = (
            [name for name in kept.fronts if name in names] if (kept.beside or "objectives") == beside else []
        )
        st.session_state[key] = wanted or _usual(beside, names, scene)
    st.session_state[key] = [name for name in st.session_state[key] if name in names]
    chosen = st.multiselect(
        "Fronts",
        list(names),
        format_func=names.__getitem__,
        key=key,
        max_selections=1 if beside == "pruned" else MOST_FRONTS,
        help=f"At most {MOST_FRONTS}." if beside != "pruned" else "The network that was pruned.",
    )
    return tuple(chosen)


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
    others = {e.supernet_id: display_name(e.title) for e in resources.entries() if e.read_table is not None}
    if len(others) > 1:
        found["supernets"] = others
    store = resources.store_or_none()
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


def _fronts(scene: Scene, chosen: _Chosen) -> tuple[SeveralFronts, str]:
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


@st.cache_resource(show_spinner=False, max_entries=32)
def _figure(
    key: str, log_x: bool, log_y: bool, identity: str, series: str, _found: SeveralFronts
) -> go.Figure:
    return finished(several_figure(_found, log_x=log_x, log_y=log_y, selected=identity, key=series))


@st.cache_resource(show_spinner="Comparing orders...", max_entries=32)
def _agreements(key: str, _found: SeveralFronts) -> list[dict[str, str]]:
    return agreement_rows(agreements(_found))


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


def _where(found: SeveralFronts, series: str, identity: str) -> None:
    rows = place_rows(found, places(found, identity, key=series))
    if not rows:
        note("Click a member of a front to see where it is in the others.")
        return
    st.markdown(f"**Where {for_markdown(display_name(identity, 60))} is**")
    html_table(rows, "The picked subnet in each of the fronts")
    _open(found, series, identity)


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
