"""Captions whose terms lead to their meanings."""

from __future__ import annotations

import streamlit as st

from core import glossary


def caption(text: str) -> None:
    """A quiet line; `text` is ours, Markdown, and names nothing that a person or a file chose."""
    st.caption(glossary.in_markdown(text))
