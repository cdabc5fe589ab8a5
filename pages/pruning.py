"""Pruning: prune a network in many ways; see accuracy, robustness and geometry change together; take one home."""

from __future__ import annotations

import streamlit as st

from core.errors import CoreError
from core.library.benchmarks import BENCHMARKED
from core.text import for_markdown
from core.views.pruning import columns, pruning_view
from pages.ui import choosers, resources
from pages.ui.front import state as front_state
from pages.ui.pruning import PAGE, choosing, model_card, panels, start_form, table_view, view_state
from pages.ui.pruning.shown import Shown
from pages.ui.setup import setup, share
from pages.ui.state import is_new

setup(PAGE)

asked = view_state.address.current()
panels.start_tab(asked.tab)
entry = choosers.choose_supernet(
    resources.entries(), choosing.supernet(asked) or front_state.current_supernet()
)
choosers.require_data(
    entry,
    BENCHMARKED,
    "Pruned networks are judged here on images and on texts with classes, clean and spoiled",
)
store = resources.store_or_none()
if store is None:
    st.stop()
with st.container(key="settings-bar", horizontal=True, vertical_alignment="bottom"):
    parent = choosing.choose_parent(entry, asked)
    try:
        view = pruning_view(store, parent.model_id)
    except CoreError as error:
        st.warning(for_markdown(error, 600), icon=":material/info:")
        st.stop()
    if view is not None and view.pruned:
        with st.popover("Prune in more ways", icon=":material/content_cut:", key="pr-start"):
            start_form.form(parent, entry.task, view)
        severity = choosing.choose_severity(asked)
        rows = table_view.choose_rows(view)
        models = rows.models

choosing.jobs(parent)
if view is None or not view.pruned:
    panels.before_pruning(lambda: choosing.first_steps(parent, entry.task, view), parent)
    st.stop()

with st.container(key="hero"):
    left, right = st.columns([1.8, 1], gap="medium")
with left:
    place = st.container()
benchmarks = columns(view, severity)
model, benchmark = model_card.selected_cell(view, models, benchmarks)
compare = choosing.compared(view, asked)
first = is_new("pruned-table-shown", (view.parent.model_id, severity, *(m.model_id for m in models)))
if first:
    with place:
        table_view.draw(view, rows, severity, compare.model_id)
with right, st.container(key="pruned-card"):
    model_card.choose_cell(models, benchmarks, model, benchmark)
    choosing.choose_compare(view)
    model_card.headline(view, model, benchmark)
    model_card.over_its_seeds(view, rows.groups, model, benchmark)
    model_card.numbers(view, model)
    model_card.download(model)
    model_card.elsewhere(view, model, compare)
with left:
    if not first:
        with place:
            table_view.draw(view, rows, severity, compare.model_id)
    table_view.failed(view)

shown = Shown(view, tuple(models), model, benchmark, compare, severity, apart=rows.apart)
panels.draw(shown, parent)
share(view_state.address.publish(choosing.address(shown, panels.open_tab())))
