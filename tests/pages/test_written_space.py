"""Writing a space on the Supernets page: judged beside the text, kept over tabs, trained as it stands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.confined import Limits
from core.supernets import written_worker
from core.supernets.options.registry import OPTIONS

TAB, OTHER = "Write a space", "Train a supernet"
GOOD = "title: Mine\nstages:\n  - widths: [4, 8]\n    options: [residual, identity]\n"


@pytest.fixture
def app(open_page: Callable[..., AppTest]) -> AppTest:
    page = open_page("supernets")
    assert "space-text" not in [area.key for area in page.text_area], "it costs nothing until it is opened"
    page.session_state["supernets-tabs"] = TAB
    return page.run()


def metrics(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def test_a_text_is_judged_beside_it_and_trained_as_it_stands(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not app.exception
    assert metrics(app)["Subnets"] == "2,160"
    shown = " ".join(html.proto.body for html in app.get("html"))
    assert all(f">{name}<" in shown for name in OPTIONS.names()), "every kind of block is listed"
    app.selectbox(key="space-start").set_value("digits-vovnet").run()
    assert "osa" in app.text_area(key="space-text").value
    assert metrics(app)["Subnets"] == "864"
    app.text_area(key="space-text").set_value(GOOD.replace("residual", "residul")).run()
    [sentence] = [error.value for error in app.error]
    assert "Line 4, stage 1 option 1 block" in sentence
    assert "space-train-start" not in [button.key for button in app.button]
    app.text_area(key="space-text").set_value(GOOD).run()
    assert metrics(app)["Subnets"] == "4"
    app.session_state["supernets-tabs"] = OTHER
    app.run()
    app.session_state["supernets-tabs"] = TAB
    app.run()
    assert app.text_area(key="space-text").value == GOOD, "another tab loses no text"
    started: list[Any] = []
    monkeypatch.setattr(
        "pages.ui.supernets.training.submit", lambda kind, params, **how: started.append((kind, params)) or ""
    )
    app.number_input(key="space-epochs").set_value(7).run()
    app.button(key="space-train-start").click().run()
    assert not app.exception
    [(kind, params)] = started
    assert (kind, params["family"], params["title"]) == ("train_supernet", "chain", "Mine")
    assert params["training"]["epochs"] == 7
    assert params["config"]["stages"][0]["widths"] == [4, 8]


def test_a_file_takes_the_place_of_the_text_once_it_was_read(
    app: AppTest, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    def confined(module: str, data: bytes, options: Any, limits: Limits) -> Any:
        assert module == "core.supernets.written_worker"
        return written_worker.work(data, options, tmp_path)

    monkeypatch.setattr("core.views.written_space.run_confined", confined)
    app.file_uploader(key="space-upload").upload("mine.yaml", GOOD.encode(), "application/yaml").run()
    assert not app.exception
    assert app.text_area(key="space-text").value == GOOD
    assert metrics(app)["Subnets"] == "4"
    app.file_uploader(key="space-upload").upload("bad.yaml", b"a: &b 1", "application/yaml").run()
    assert "anchors and aliases" in " ".join(error.value for error in app.error)
    assert app.text_area(key="space-text").value == GOOD
