"""Supernets: what is here, one of them closely, and how to train or load another."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from pages.ui import resources
from pages.ui.setup import setup
from pages.ui.supernets import PAGE, comparing, details, gallery, loading, state, written_space
from pages.ui.supernets import training as train_views

setup(PAGE)

view = state.current_view()
entries = resources.entries()
chosen = next((entry for entry in entries if entry.supernet_id == view.supernet), None)
if chosen is not None:
    state.publish(view)  # at once: Back leads here, although drawing may take a while
    details.draw(chosen)
    st.stop()
with st.container(key="gallery"):
    view = gallery.gallery(entries, view)
    gallery.damaged()
train, compare, write, load = st.tabs(
    ["Train a supernet", state.COMPARE, "Write a space", "Load a file or a folder"],
    key=state.TABS,
    on_change="rerun",
)
with train, st.container(key="hero"):
    form, curves = st.columns([1, 2], gap="medium")
    with form:
        train_views.training_form()
    with curves:
        train_views.training_progress()
with compare:
    shown = comparing.draw(view.comparison) if compare.open else ""
with write:
    if write.open:
        written_space.draw()
with load:
    loading.draw()
state.publish(replace(view, comparison=shown))
