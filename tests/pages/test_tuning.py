"""A supernet of the library is tuned on its page: the form offers what fits, and Start asks for exactly that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import resources

Open = Callable[..., AppTest]


@pytest.fixture
def given(open_page: Open) -> tuple[AppTest, str]:
    """The page of an uploaded supernet for 8x8 images that names no data."""
    from core.supernets.converting import convert
    from core.supernets.files import dump_supernet
    from core.supernets.reading.onnx_file import read_onnx
    from tests.helpers.given_networks import residual_onnx

    data = dump_supernet(convert(read_onnx(residual_onnx())).supernet, {})
    supernet_id = resources.store().add_supernet("given", data, {"family": "converted"})
    return open_page("supernets", supernet=supernet_id), supernet_id


def test_a_supernet_without_data_is_tuned_on_data_that_fit(
    given: tuple[AppTest, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    app, supernet_id = given
    asked: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(
        "pages.ui.supernets.tuning.submit", lambda kind, params, **_: asked.append((kind, params))
    )
    monkeypatch.setattr("pages.ui.supernets.tuning.forecast", lambda *_, **__: None)
    app.toggle(key=f"tune-{supernet_id}").set_value(True).run()
    assert not app.exception
    choices = app.selectbox(key=f"tune-data-{supernet_id}").options
    assert choices[0] == "Digits (8x8)"
    assert not any("Fashion" in each or "CIFAR" in each for each in choices), "their images have another size"
    [epochs] = [n for n in app.number_input if n.label == "Epochs"]
    epochs.set_value(7).run()
    app.button(key="tune-start").click().run()
    assert not app.exception
    [(kind, params)] = asked
    assert kind == "train_supernet"
    assert (params["start"], params["family"], params["config"]) == (supernet_id, "converted", {})
    assert params["data"]["name"] == "digits"
    assert params["training"]["epochs"] == 7
    assert params["training"]["learning_rate"] == 0.05
