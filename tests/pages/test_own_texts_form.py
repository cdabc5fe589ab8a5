"""Texts of one's own on the training form: read once, told what was found, trained on as told."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from core.library.presets import PRESETS
from pages.ui import resources
from tests.pages.test_own_images_form import said

Open = Callable[..., AppTest]


def table(n: int = 60) -> bytes:
    """A .csv of texts and labels."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["text", "label"])
    for k in range(n):
        word = ("permit", "forbid")[k % 2]
        writer.writerow([f"You {word} the use of copy {k} in number {k * 7}", word])
    return out.getvalue().encode()


def corpus(words: int = 14_000) -> bytes:
    """A text long enough for a few stretches of windows."""
    return " ".join(f"word{k % 97} and {k}" for k in range(words)).encode()


def form(open_page: Open, preset: str, name: str, file: str, data: bytes) -> AppTest:
    app = open_page("supernets")
    app.selectbox(key="train-preset").set_value(preset).run()
    app.selectbox(key=f"train-data-{preset}").set_value(name).run()
    return app.file_uploader(key=f"train-{name}").upload(file, data, "text/plain").run()


@pytest.mark.slow
def test_a_table_of_texts_is_shown_before_anything_starts_and_trained_on(open_page: Open) -> None:
    app = form(open_page, "commands-encoder", "texts", "mine.csv", table())
    assert not app.exception, app.exception[0].message
    for told in ("60 texts in 2 classes.", "permit", "You forbid the use of copy 1 in number 7"):
        assert told in said(app)
    next(each for each in app.number_input if each.label == "Length").set_value(24).run()
    app.button(key="train-start").click().run()
    assert not app.exception, app.exception[0].message
    [run] = resources.store().list_runs()
    assert run.params["data"]["name"] == "texts"
    assert run.params["data"]["config"]["length"] == 24


@pytest.mark.slow
@pytest.mark.skipif("licenses-decoder" not in PRESETS, reason="no decoder is ready-made")
def test_a_text_becomes_windows_that_are_told_and_trained_on(open_page: Open) -> None:
    app = form(open_page, "licenses-decoder", "corpus", "mine.txt", corpus())
    assert not app.exception, app.exception[0].message
    for told in ("windows of 64 tokens; neighbors are in one split", "word0 and 0 word1 and 1"):
        assert told in said(app)
    app.button(key="train-start").click().run()
    assert not app.exception, app.exception[0].message
    [run] = resources.store().list_runs()
    assert run.params["data"]["name"] == "corpus"


def test_a_text_that_is_too_short_says_so_and_nothing_can_start(open_page: Open) -> None:
    app = form(open_page, "commands-encoder", "texts", "mine.csv", b"text,label\nhello,a\nworld,b\n")
    assert not app.exception
    assert app.error
    assert app.button(key="train-start").disabled
