"""Images of one's own on the training form: read once, told what was found, trained on as told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.datasets import images
from pages.ui import resources
from tests.security.hostile_files import picture_zip, with_member

Open = Callable[..., AppTest]


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The settings of every upload that the page asks to be kept."""
    seen: list[dict[str, Any]] = []
    plain = images.keep_upload

    def counted(data: bytes, **config: Any) -> Any:
        seen.append(config)
        return plain(data, **config)

    monkeypatch.setattr(images, "keep_upload", counted)
    return seen


def form(open_page: Open, name: str, data: bytes) -> AppTest:
    app = open_page("supernets")
    app.selectbox(key="train-data-digits-cnn").set_value("images").run()
    return app.file_uploader(key="train-images").upload(name, data, "application/zip").run()


def said(app: AppTest) -> str:
    return " ".join(e.value for e in app.caption)


def test_what_was_found_is_told_and_asked_once(open_page: Open, kept: list[dict[str, Any]]) -> None:
    app = form(open_page, "pets.zip", picture_zip())
    assert not app.exception
    assert "12 images in 2 classes: cat 6, dog 6." in said(app)
    assert "networks will get 32x32 RGB" in said(app)
    app.run()
    app.number_input(key="train-epochs-digits-cnn").set_value(1).run()
    assert len(kept) == 1
    app.number_input(key="train-images-set-size").set_value(8).run()
    assert "networks will get 8x8 RGB" in said(app)
    assert [config["size"] for config in kept] == [0, 8]
    app.button(key="train-start").click().run()
    [run] = resources.store().list_runs()
    assert run.params["data"]["config"]["size"] == 8
    assert len(run.params["data"]["config"]["upload"]) == 64


def test_a_refusal_is_one_sentence_and_asked_once(open_page: Open, kept: list[dict[str, Any]]) -> None:
    app = form(open_page, "bad.zip", with_member("../escaped.png"))
    for _ in range(2):
        assert not app.exception
        [error] = app.error
        assert "points outside" in error.value
        assert app.button(key="train-start").disabled
        app.run()
    assert len(kept) == 1
