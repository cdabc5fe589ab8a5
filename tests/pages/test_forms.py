"""Forms from Configs: every field becomes a widget of its kind, and what comes out fits the Config."""

from __future__ import annotations

from typing import Any

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
    # A widget with bounds keeps what is beyond them on the screen and tells nobody: the form looks after them.
    assert app.number_input(key="f-count").min is None
    assert app.number_input(key="f-count").max is None
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
    assert not app.warning, "the defaults are nothing to complain of"


FORM = """
import streamlit as st
from pydantic import BaseModel, Field
from pages.ui import checked
from pages.ui.forms import config_form, field_number, number

class Config(BaseModel):
    epochs: int = Field(3, ge=1, le=500)
    rate: float = Field(0.5, gt=0)
    widths: tuple[int, ...] = (4, 8)

with checked.form() as form:
    name = checked.name_field("Name", value="mine", key="name")
    repeats = number("Repeats", (1, 5), value=1, key="repeats")
    epochs = field_number(Config, "epochs", "Epochs", key="epochs")
    values = config_form(Config, "f", columns=1)
    if form.start("Start", key="start"):
        st.session_state["started"] = (name, repeats, epochs, values)
"""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda app: app.number_input(key="epochs").set_value(99999),
            "Epochs: 99999 is not possible, only numbers from 1 to 500.",
        ),
        (
            lambda app: app.number_input(key="repeats").set_value(10),
            "Repeats: 10 is not possible, only numbers from 1 to 5.",
        ),
        (lambda app: app.number_input(key="f-epochs").set_value(0), "Epochs: 0 is not possible"),
        (
            lambda app: app.number_input(key="f-rate").set_value(-1.0),
            "Rate: -1 is not possible, only numbers at least 0.",
        ),
        (lambda app: app.number_input(key="f-rate").set_value(0.0), "Rate: Input should be greater than 0."),
        (lambda app: app.text_input(key="f-widths").set_value("3, wide"), "Widths: "),
        (
            lambda app: app.text_input(key="name").set_value("x" * 81),
            "Name: 81 characters are too many, at most 80",
        ),
        (lambda app: app.text_input(key="name").set_value("  "), "Name: there is none."),
    ],
)
def test_what_cannot_run_is_said_and_start_waits(change: Any, said: str) -> None:
    app = AppTest.from_string(FORM).run()
    change(app)
    app.run()
    assert not app.exception, app.exception[0].message
    assert said in " ".join(e.value.replace("\\", "") for e in app.error)
    assert app.button(key="start").disabled


def test_what_is_on_screen_is_what_runs() -> None:
    app = AppTest.from_string(FORM).run()
    app.text_input(key="name").set_value("y" * 80)
    app.number_input(key="repeats").set_value(5)
    app.number_input(key="epochs").set_value(500)
    app.text_input(key="f-widths").set_value("1 2").run()
    assert not app.error
    app.button(key="start").click().run()
    assert app.session_state["started"] == ("y" * 80, 5, 500, {"epochs": 3, "rate": 0.5, "widths": [1, 2]})


def test_without_a_form_the_field_says_what_is_used_instead() -> None:
    script = FORM.replace("with checked.form() as form:", "if True:").replace(
        'form.start("Start"', 'st.button("Start"'
    )
    app = AppTest.from_string(script).run()
    app.number_input(key="epochs").set_value(99999)
    app.button(key="start").click().run()
    assert app.session_state["started"][2] == 500
    [warning] = app.warning
    assert warning.value.replace("\\", "").endswith("only numbers from 1 to 500. 500 is used.")


PAGES_WITH_FORMS = [
    ("supernets", "train-start", "train-epochs-digits-cnn", 99999),
    ("search", "search-start", "search-repeats", 11),
    ("search", "search-start", "search-budget", 0),
    ("pruning", "prune-start", "pr-epochs", 9999),
]


@pytest.mark.parametrize(("page", "button", "field", "value"), PAGES_WITH_FORMS)
def test_the_pages_start_buttons_wait(open_page: Any, page: str, button: str, field: str, value: int) -> None:
    app = open_page(page)
    assert not app.button(key=button).disabled
    app.number_input(key=field).set_value(value).run()
    assert not app.exception
    assert app.button(key=button).disabled
    assert f"{value} is not possible" in " ".join(e.value.replace("\\", "") for e in app.error)
