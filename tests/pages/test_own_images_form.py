"""Images of one's own on the training form: read once, told what was found, trained on as told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.datasets import images
from pages.ui import resources
from tests.datasets.test_uploads import gray_zip
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


def size(app: AppTest) -> Any:
    return next(each for each in app.number_input if each.label == "Size")


def channels(app: AppTest) -> Any:
    return next(each for each in app.selectbox if each.label == "Channels")


def said(app: AppTest) -> str:
    texts = [
        *(e.value for e in app.markdown),
        *(e.value for e in app.caption),
        *(e.proto.body for e in app.get("html")),
    ]
    return " ".join(texts).replace("\\", "")


@pytest.mark.slow
def test_what_was_found_is_shown_before_anything_starts_and_asked_once(
    open_page: Open, kept: list[dict[str, Any]]
) -> None:
    app = form(open_page, "pets.zip", picture_zip())
    assert not app.exception
    assert "12 images in 2 classes." in said(app)
    assert "Networks get RGB images of 9x9 pixels." in said(app)
    for row in (
        '<th scope="row">cat</th><td>6</td><td>4</td><td>1</td><td>1</td>',
        '<th scope="row">dog</th><td>6</td>',
    ):
        assert row in said(app)
    assert said(app).count("data:image/png") == 12
    assert any("Few images for validation: 2" in e.value.replace("\\", "") for e in app.warning)
    app.run()
    app.number_input(key="train-epochs-digits-cnn").set_value(1).run()
    # Once to propose, once with all settings of the form.
    assert len(kept) == 2
    size(app).set_value(8).run()
    assert "Networks get RGB images of 8x8 pixels." in said(app)
    assert [config.get("size") for config in kept] == [None, 9, 8]
    app.button(key="train-start").click().run()
    [run] = resources.store().list_runs()
    assert run.params["data"]["config"]["size"] == 8
    assert len(run.params["data"]["config"]["upload"]) == 64


@pytest.mark.slow
def test_gray_pictures_are_proposed_as_they_are_and_trained_so(open_page: Open) -> None:
    """REVIEW 5.6: gray 28x28 PNGs were trained as 3x32x32, said in a tooltip only."""
    app = form(open_page, "gray.zip", gray_zip("RGB"))
    assert size(app).value == 28
    assert channels(app).value == 1
    assert "All are gray, though stored in color. Networks get gray images of 28x28 pixels." in said(app)
    for reason in ("added by a desktop", "in no class folder (lonely.png)", "cat/notes.txt"):
        assert reason in said(app)
    # Another file gets its own proposal; what a person had set for the last one is not kept.
    size(app).set_value(8).run()
    app.file_uploader(key="train-images").upload("other.zip", picture_zip(), "application/zip").run()
    assert size(app).value == 9
    assert channels(app).value == 3
    app.button(key="train-start").click().run()
    [run] = resources.store().list_runs()
    assert (run.params["data"]["config"]["size"], run.params["data"]["config"]["channels"]) == (9, 3)


def test_a_refusal_is_one_sentence_and_asked_once(open_page: Open, kept: list[dict[str, Any]]) -> None:
    app = form(open_page, "bad.zip", with_member("../escaped.png"))
    for _ in range(2):
        assert not app.exception
        [error] = app.error
        assert "points outside" in error.value
        assert app.button(key="train-start").disabled
        app.run()
    assert len(kept) == 1
