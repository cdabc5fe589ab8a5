"""The teacher's guide, inside Learn."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from pages.ui.learn import state
from pages.ui.learn.view import View


def draw(view: View) -> None:
    """Draw the guide and write its address."""
    st.button(
        "All lessons",
        key="lesson-all",
        icon=":material/list_alt:",
        on_click=state.show,
        args=(replace(view, guide=False),),
    )
    state.publish(view)
