"""Sliders of limits over a table that grows."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


def page() -> None:
    import pandas as pd
    import streamlit as st

    from core.objectives.base import objectives
    from pages.ui.choosers import choose_limits

    rows = st.session_state.get("rows", 3)
    # The bytes repeat: what was the most of three rows is among the values of six.
    table = pd.DataFrame(
        {"activation_bytes": [800, 1600, 2400, 3200, 4000, 4800], "accuracy": [0.5, 0.6, 0.7, 0.8, 0.4, 0.3]}
    )
    goals = objectives(["activation_bytes", "accuracy"])
    found = choose_limits(f"r{rows}", table[:rows], goals, ())
    st.session_state["found"] = [limit.objective for limit in found]


def test_a_slider_at_its_loose_end_stays_there_when_the_table_grows() -> None:
    at = AppTest.from_function(page, default_timeout=30).run()
    assert not at.exception
    assert at.session_state["found"] == []
    at.session_state["rows"] = 6
    assert at.run().session_state["found"] == []
    at.select_slider("limit-accuracy").set_value(0.5).run()
    assert at.session_state["found"] == ["accuracy"]
    at.session_state["rows"] = 5
    assert at.run().session_state["found"] == ["accuracy"], "what a person has set stays"
