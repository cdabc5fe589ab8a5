"""The first line of every page: title, look, session. A page must work as the first one a visitor sees."""

from __future__ import annotations

import html
import uuid

import streamlit as st

from core.settings import ASSETS
from pages.ui import resources, state

_LOOK = ASSETS / "look" / "look.css"
_WORDMARK = str(ASSETS / "look" / "wordmark.svg")


def setup(title: str, question: str) -> None:
    """Prepare the session and draw the page's head. May be called any number of times.

    Args:
        title: name of the page.
        question: one sentence, the question the page answers.
    """
    # A deep link on a fresh server does not pass through app.py.
    st.set_page_config(page_title=f"{title} · Paretoscope", page_icon=":material/show_chart:", layout="wide", initial_sidebar_state=230)
    st.session_state.setdefault("session", uuid.uuid4().hex)
    state.entered_page(title)
    st.logo(_WORDMARK, size="large")
    st.html(_LOOK)
    st.title(title, anchor=False)
    st.html(f'<p class="ps-question">{html.escape(question)}</p>')
    resources.warm_up()


def note(text: str) -> None:
    """A quiet remark below a figure; plain text."""
    st.html(f'<p class="ps-note">{html.escape(text)}</p>')


def empty(text: str, *, page: str | None = None, label: str = "") -> None:
    """An empty state: one sentence and the one thing to do."""
    with st.container(border=True):
        st.markdown(text)
        if page:
            st.page_link(page, label=label, icon=":material/arrow_forward:")
