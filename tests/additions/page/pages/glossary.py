"""Glossary: added by a test; a page."""

from __future__ import annotations

import streamlit as st

from pages.ui.glossary import PAGE, words
from pages.ui.setup import setup

setup(PAGE)
st.table(words.meanings())
