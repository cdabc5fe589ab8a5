"""Supernets: what is here, and how to train or load another."""

from __future__ import annotations

import streamlit as st

from pages.ui import resources
from pages.ui.setup import setup
from pages.ui.supernets import PAGE
from pages.ui.supernets import gallery as supernet_views
from pages.ui.supernets import training as train_views

setup(PAGE)

entries = resources.entries()
with st.container(key="gallery"):
    supernet_views.gallery(entries)
    supernet_views.damaged()
train, load = st.tabs(["Train a supernet", "Load a file"])
with train, st.container(key="hero"):
    form, curves = st.columns([1, 2], gap="medium")
    with form:
        train_views.training_form()
    with curves:
        train_views.training_progress()
with load:
    supernet_views.upload()
