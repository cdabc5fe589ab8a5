"""Forms from Configs: every field becomes a widget of its kind, and what comes out fits the Config."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from streamlit.testing.v1 import AppTest

from core.datasets import DATASETS
from core.search import ALGORITHMS
from core.training.config import TrainingConfig
from pages.ui.forms import complaint

SCRIPT = """
from enum import Enum
from typing import Literal
import streamlit as st
from pydantic import BaseModel, Field
from pages.ui.forms import config_form

class Color(Enum):
    RED = "red"
    BLUE = "blue"

class Part(BaseModel):
    widths: tuple[int, ...] = Field((4, 8), description="Channels.")

class Config(BaseModel):
    count: int = Field(3, ge=1, le=9, description="How many.")
    rate: float = Field(0.5, gt=0, le=1)
    maybe: float | None = None
    on: bool = True
    sort: Literal["a", "b"] = "b"
    color: Color = Color.BLUE
    name: str = "x"
    numbers: tuple[float, ...] = (0.5, 1.5)
    parts: tuple[Part, ...] = Field((Part(), Part(widths=(1, 2))), min_length=1, max_length=4)
    secret: str = Field("no", json_schema_extra={"form": False})
    mystery: dict[str, int] = {}

st.session_state["out"] = config_form(Config, "f")
st.session_state["config"] = Config.model_validate(st.session_state["out"]).model_dump()
"""


def test_every_kind_of_field_has_its_widget() -> None:
    app = AppTest.from_string(SCRIPT).run()
    assert not app.exception
    out = app.session_state["out"]
    assert "secret" not in out
    assert "mystery" not in out
    assert out["count"] == 3
    assert out["maybe"] is None
    assert out["numbers"] == [0.5, 1.5]
    assert out["parts"] == [{"widths": [4, 8]}, {"widths": [1, 2]}]
    assert app.number_input(key="f-count").min == 1
    assert app.number_input(key="f-count").max == 9
    assert app.number_input(key="f-count").help == "How many."
    assert app.selectbox(key="f-sort").options == ["a", "b"]


def test_what_is_typed_comes_out() -> None:
    app = AppTest.from_string(SCRIPT).run()
    app.number_input(key="f-count").set_value(7)
    app.toggle(key="f-on").set_value(False)
    app.text_input(key="f-parts-0-widths").set_value("3; 5 9")
    app.number_input(key="f-parts-count").set_value(3).run()
    assert not app.exception
    made = app.session_state["config"]
    assert made["count"] == 7
    assert made["on"] is False
    assert [p["widths"] for p in made["parts"]] == [(3, 5, 9), (1, 2), (1, 2)]


def test_nonsense_is_one_sentence() -> None:
    with pytest.raises(ValidationError) as caught:
        TrainingConfig.model_validate({"epochs": "many"})
    assert complaint(caught.value).startswith("Epochs: ")
    assert complaint(caught.value).count("\n") == 0


@pytest.mark.parametrize("name", ALGORITHMS.names())
def test_every_algorithm_has_a_form_whose_defaults_fit(name: str) -> None:
    form_of("core.search", "ALGORITHMS", name)


@pytest.mark.parametrize("name", DATASETS.names())
def test_every_data_set_has_a_form_whose_defaults_fit(name: str) -> None:
    form_of("core.datasets", "DATASETS", name)


def form_of(package: str, registry: str, name: str) -> None:
    script = (
        f"import streamlit as st\nfrom {package} import {registry} as registry\nfrom pages.ui.forms import config_form\n"
        f"config = registry.get({name!r}).Config\nconfig.model_validate(config_form(config, 'f'))\n"
    )
    app = AppTest.from_string(script, default_timeout=30).run()
    assert not app.exception, app.exception[0].message
