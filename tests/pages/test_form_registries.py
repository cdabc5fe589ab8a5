"""A setting that names a plug-in is offered as a list of what there is."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from core.predictors import PREDICTORS
from core.search import ALGORITHMS

SCRIPT = """
import streamlit as st
from core.search import ALGORITHMS
from pages.ui import checked, forms
with checked.form():
    st.session_state["held"] = forms.config_form(ALGORITHMS.get({name!r}).Config, "a")
"""


@pytest.mark.parametrize("name", ["linas", "planned"])
def test_a_predictor_is_chosen_from_the_registered_ones(name: str) -> None:
    app = AppTest.from_string(SCRIPT.format(name=name)).run()
    assert not app.exception, app.exception
    box = app.selectbox(key="a-predictor")
    assert box.options == [PREDICTORS.info(n).label for n in PREDICTORS.names()]
    assert box.value == "ridge"
    assert ALGORITHMS.config(name, app.session_state["held"]) == ALGORITHMS.config(name)
