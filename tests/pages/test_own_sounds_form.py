"""Sounds of one's own on the training form: read once, told what was found, trained on as told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.datasets import sounds
from pages.ui import resources
from tests.helpers.sounds import sound_zip, tone, wav
from tests.pages.test_own_images_form import said

pytestmark = pytest.mark.slow

Open = Callable[..., AppTest]
FILES = {
    f"{digit}_{who}_{n}.wav": wav(tone(200 + 30 * n + 7 * digit), 8000)
    for digit in (1, 2)
    for who in ("ann", "bob")
    for n in range(4)
}


def form(open_page: Open, data: bytes) -> AppTest:
    app = open_page("supernets")
    app.selectbox(key="train-preset").set_value("tones-tdnn").run()
    app.selectbox(key="train-data-tones-tdnn").set_value("sounds").run()
    return app.file_uploader(key="train-sounds").upload("digits.zip", data, "application/zip").run()


def test_what_was_found_is_shown_before_anything_starts_and_trained_on(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []
    plain = sounds.keep_sounds
    monkeypatch.setattr(sounds, "keep_sounds", lambda data, **c: asked.append(c) or plain(data, **c))
    app = form(open_page, sound_zip(FILES | {"notes.txt": b"x"}))
    assert not app.exception
    for told in (
        "16 clips in 2 classes.",
        "They came with 8,000 samples per second",
        "Networks get 0.30 seconds of one channel",
        '<th scope="row">1</th><td>8</td>',
        "1 file left out: no .wav file by name (notes.txt).",
        "loudness from left to right",
    ):
        assert told in said(app)
    assert said(app).count("data:image/png") == 8
    assert not app.button(key="train-start").disabled
    next(each for each in app.number_input if each.label == "Milliseconds").set_value(200).run()
    assert "Networks get 0.20 seconds" in said(app)
    assert [config.get("milliseconds") for config in asked] == [None, 300, 200], "each asked once"
    app.button(key="train-start").click().run()
    [run] = resources.store().list_runs()
    assert run.params["data"]["name"] == "sounds"
    assert run.params["data"]["config"]["milliseconds"] == 200


def test_a_zip_that_is_refused_says_why_and_nothing_can_start(open_page: Open) -> None:
    app = form(open_page, sound_zip({"a/1.wav": b"x"}))
    [error] = app.error
    assert "in one class" in error.value
    assert app.button(key="train-start").disabled
