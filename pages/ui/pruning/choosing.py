"""Which network, which severity, compared with what; and what to do before anything was pruned."""

from __future__ import annotations

import streamlit as st

from core.errors import CoreError
from core.library import evaluated
from core.library.networks import ModelInfo, describe, subnet_id
from core.library.pruned import KIND, PrunedModel, list_pruned, require_prunable
from core.library.supernets import SupernetEntry
from core.records import Run
from core.text import display_name, for_markdown
from core.views.pruning import PruningView
from pages.ui import baskets, resources, state
from pages.ui.progress import active, all_runs, job_row, watch
from pages.ui.pruning import start_form, table_view, view_state
from pages.ui.pruning.shown import Shown
from pages.ui.pruning.table_view import row_label
from pages.ui.pruning.view_state import Asked

_PARENT = "pr-parent"


def supernet(asked: Asked) -> str:
    """Id of the supernet that the view's network belongs to, "" for none."""
    if not asked.parent:
        return ""
    try:
        return describe(resources.store_or_none(), asked.parent).supernet_id
    except CoreError:
        # Said where the network itself is asked for.
        return ""


def choose_parent(entry: SupernetEntry, asked: Asked) -> ModelInfo:
    """The network that is pruned: suggested, from the basket, pruned before, or brought by a link."""
    store = resources.store_or_none()
    known = {info.model_id: info for info in resources.suggested(entry)}
    pruned = [m.model_id for m in list_pruned(store) if m.is_parent and m.supernet_id == entry.supernet_id]
    others = baskets.of_supernet(entry.supernet_id)
    for model_id in [*pruned, *others, *([asked.parent] if asked.parent else [])]:
        if model_id in known:
            continue
        try:
            info = describe(store, model_id)
            require_prunable(store, model_id)
        except CoreError as error:
            st.warning(for_markdown(error, 600), icon=":material/link_off:")
            continue
        if info.supernet_id == entry.supernet_id:
            known[model_id] = info
    largest = subnet_id(entry, entry.space.arch_id(entry.reference))
    wanted = next(i for i in (asked.parent, *pruned, largest) if i in known)
    state.keep(_PARENT, known, wanted)
    chosen = st.selectbox(
        "Network to prune",
        list(known),
        format_func=lambda i: display_name(known[i].title),
        key=_PARENT,
        width=360,
        on_change=view_state.samples.clear,
        help="Subnets of this supernet, those in the basket, networks trained alone, and those pruned before.",
    )
    return known[chosen]


def choose_severity(asked: Asked) -> int:
    """The severity of the corruptions shown."""
    state.start("pr-severity", asked.severity)
    return int(
        st.segmented_control(
            "Severity",
            [1, 2, 3, 4, 5],
            required=True,
            key="pr-severity",
            help="How strong corruptions and attacks are, calibrated on this data: 5 is hard, but not chance.",
        )
    )


def compared(view: PruningView, asked: Asked) -> PrunedModel:
    """The network that the selected one is compared with, the parent unless another is chosen; known before it is drawn."""
    ids = {m.model_id: m for m in view.models}
    return ids[state.keep("pr-compare", ids, asked.compare if asked.compare in ids else view.parent.model_id)]


def choose_compare(view: PruningView) -> None:
    """The chooser of what `compared` answers."""
    ids = {m.model_id: m for m in view.models}
    st.selectbox(
        "Compare with",
        list(ids),
        format_func=lambda i: display_name(row_label(ids[i])),
        key="pr-compare",
        help="Marked in the table; the Geometry and All angles tabs show both.",
    )


def jobs(parent: ModelInfo) -> None:
    """What is being pruned and evaluated now; the page is drawn again when it ends."""
    if not (ids := _unfinished(parent)):
        return

    def now() -> list[Run]:
        return [resources.jobs().run(run_id) for run_id in ids]

    def show() -> None:
        with st.container(key="job-progress"):
            for run in now():
                job_row(run)

    watch(show, lambda: active(now()))


def _unfinished(parent: ModelInfo) -> list[str]:
    """Runs of this network that are active, and the newest of a kind if it was stopped: it can be resumed."""
    found = []
    for kind, key in ((KIND, "model"), (evaluated.KIND, "parent")):
        mine = [r for r in all_runs([kind]) if r.params.get(key) == parent.model_id]
        found += [r.run_id for r in mine if not r.state.is_final]
        if mine and mine[0].state.is_resumable:
            found.append(mine[0].run_id)
    return found


def first_steps(parent: ModelInfo, task: str, view: PruningView | None) -> None:
    """Before anything was pruned: what will be there, and the form."""
    with st.container(key="hero"):  # one below the other where the window is narrow
        left, right = st.columns([1.2, 1], gap="large")
    with left, st.container(border=True):
        start_form.form(parent, task, view)
    with right:
        if active(resources.jobs().run(run_id) for run_id in _unfinished(parent)):
            said = "This network is being pruned now, see above. The table comes when that is done."
        else:
            said = (
                "Nothing of this network was pruned yet. Press **Prune**: the table fills with a row per "
                "pruned network."
            )
        st.info(said, icon=":material/content_cut:")
        st.markdown(
            "Then you can\n\n"
            "- see which ways of pruning keep accuracy, and under which corruptions they break,\n"
            "- watch every sample move in the last feature space, and find those that break first,\n"
            "- compare two pruned networks, and put all of them beside the front,\n"
            "- download one, really smaller where whole units were removed."
        )
        if view is not None:
            table_view.failed(view)


def address(shown: Shown, tab: str) -> Asked:
    """The view as a link keeps it."""
    return Asked(
        shown.view.parent.model_id,
        shown.model.model_id,
        shown.benchmark,
        shown.compare.model_id,
        shown.severity,
        tab,
    )
