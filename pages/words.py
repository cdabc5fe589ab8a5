"""Words: what the terms on the other pages mean."""

from __future__ import annotations

import html

import streamlit as st

from core.glossary import slug
from core.words import TERMS
from pages.ui.setup import setup, show_around
from pages.ui.words import PAGE

setup(PAGE)

# What is searched, what is measured, what is chosen.
st.header("In the order of the work", anchor=False)
entries = "".join(
    f'<dt id="{slug(t)}">{html.escape(t.word)}</dt><dd>{html.escape(t.meaning)}</dd>' for t in TERMS
)
st.html(f'<dl class="ps-words">{entries}</dl>')
show_around()
