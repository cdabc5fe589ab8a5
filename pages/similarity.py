"""Similarity: two networks side by side, layer by layer, unit by unit, image by image."""

from __future__ import annotations

import streamlit as st

from core.errors import CoreError
from core.library.networks import load_model
from core.text import for_markdown
from core.views.compare_models import Question, compare_models, sorted_config
from pages.ui import choosers, resources
from pages.ui.front import state as front_state
from pages.ui.setup import setup, share, unseen_heading
from pages.ui.similarity import PAGE, choosing, heatmap_view, matrix_choice, panels, view_state
from pages.ui.similarity.selection import Compared, as_asked, changed_config

setup(PAGE)

asked = view_state.address.current()
panels.start_tab(asked.tab)
view_state.take_picked()
entry = choosers.choose_supernet(
    resources.entries(), view_state.supernet(asked) or front_state.current_supernet()
)
choosers.require_data(entry, panels.TASKS, "Networks are compared here on images and texts")
choosing.say_what_is_not_shown()
with st.container(key="settings-bar"):
    with st.container(horizontal=True, vertical_alignment="bottom"):
        models = choosing.choose_models(entry, asked)
        with st.popover("Add", icon=":material/add:", key="sim-add"):
            choosing.add_by_hand(entry)
            choosing.add_from_search(entry)
    if not models:
        st.info("Choose at least one network above. Two show what their layers share.", icon=":material/hub:")
        st.stop()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        a, b = choosing.choose_pair(models, asked)
        settings = choosing.choose_settings(asked)

question = Question(
    settings.measure, sorted_config(settings.config), settings.pooling, settings.inside, settings.probe
)
try:
    with st.spinner("Running both networks on the probe…", show_time=True):
        store = resources.store_or_none()
        left_model, right_model = load_model(store, a.model_id), load_model(store, b.model_id)
        comparison = compare_models(left_model, right_model, question)
except CoreError as error:
    st.warning(for_markdown(error, 600), icon=":material/info:")
    st.stop()

result = comparison.result
cell = view_state.cell(result.layers_a, result.layers_b)
with st.container(key="hero"):
    left, right = st.columns([1.7, 1], gap="medium")
with left:
    unseen_heading("Layer by layer")
    heatmap_view.heatmap(f"{left_model.key}-{right_model.key}-{question}", comparison, a, b)
    heatmap_view.paper(comparison, a, b)
    st.caption(
        "Click a cell: the panels below and the card follow. Bright is alike; a blank cell with a cross has no value."
    )
with right, st.container(key="similarity-card"):
    unseen_heading("The selected pair of layers")
    heatmap_view.cell_card(comparison, *cell)
    choosing.put_aside(a, b)

others = tuple(m for m in models if m not in (a, b))
view = Compared(
    a=a,
    b=b,
    models=tuple(dict.fromkeys((a, b, *others))),
    layer_a=cell[0],
    layer_b=cell[1],
    pooling=settings.pooling,
    inside=settings.inside,
    probe=settings.probe,
    samples=view_state.samples.now(),
    measure=settings.measure,
    config=changed_config(settings.measure, settings.config),
    tab=panels.open_tab(),
    matrix=matrix_choice.now(asked),
)
panels.draw(view, entry.task, left_model, right_model, comparison)
share(view_state.address.publish(as_asked(view)))
