"""A transformer's folder on the Supernets page: told before it is made, made as it was told, refused in a sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.library import folders
from core.supernets.folders.folder import of_zip
from pages.ui import resources
from pages.ui.supernets.loading import _as_one
from tests.helpers.tiny_folders import bert, with_config, zipped

pytestmark = pytest.mark.usefixtures("checked_here", "looked_at_here")
Open = Callable[..., AppTest]


@pytest.fixture
def looked_at_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders are looked at in this process: a confined one takes seconds to load torch."""
    from core.supernets.folders import worker

    def here(module: str, data: bytes, options: Any, limits: Any) -> Any:
        return worker.work(data, options, Path())

    monkeypatch.setattr("core.library.folders.run_confined", here)


def choose(app: AppTest, data: bytes, name: str = "tiny.zip") -> AppTest:
    return app.file_uploader(key="supernet-upload").upload(name, data, "application/zip").run()


def told(app: AppTest) -> str:
    tables = " ".join(e.proto.body for e in app.get("html"))
    return " ".join([tables, *(m.value for m in app.markdown), *(w.value for w in app.warning)])


def test_it_is_told_before_it_is_made_and_made_as_told(open_page: Open) -> None:
    app = choose(open_page("supernets"), zipped(bert()))
    assert not app.exception
    said = told(app)
    assert "**BERT** (BertForSequenceClassification), as Elastic BERT: **272 subnets** from 6 choices" in said
    assert "6, 12, 18, 24" in said
    assert "in each of 2 layers" in said
    assert "every text goes through them" in said
    assert "WordPiece of 101 tokens" in said
    assert resources.store().list_supernets() == []

    [heads] = [
        field
        for field in app.text_input
        if (field.key or "").startswith("folder-set-") and field.key.endswith("-heads")
    ]
    heads.set_value("0.5, 1").run()
    assert "**72 subnets** from 6 choices" in told(app)
    [name] = [field for field in app.text_input if (field.key or "").startswith("folder-name-")]
    assert name.value == "tiny"
    name.set_value("my BERT").run()
    app.button(key="folder-add").click().run()
    assert not app.exception
    [kept] = resources.store().list_supernets()
    assert kept.name == "my BERT"
    entry = next(e for e in resources.entries() if e.supernet_id == kept.supernet_id)
    assert (entry.family, entry.space.size) == ("elastic_bert", 72)
    # Its own page is open.
    assert dict(app.query_params.items())["supernet"] in (kept.supernet_id, [kept.supernet_id])


def test_options_that_are_none_are_one_sentence(open_page: Open) -> None:
    app = choose(open_page("supernets"), zipped(bert()))
    [heads] = [field for field in app.text_input if (field.key or "").endswith("-heads")]
    heads.set_value("1, 0.5").run()
    assert not app.exception
    [error] = app.error
    assert "ascend" in error.value
    assert not [button for button in app.button if button.key == "folder-add"]


def test_what_is_drawn_anew_is_said(open_page: Open) -> None:
    app = choose(open_page("supernets"), zipped(bert("BertModel")))
    assert not app.exception
    assert any("drawn anew" in warning.value for warning in app.warning)


def test_what_is_not_supported_is_one_sentence(open_page: Open) -> None:
    app = choose(open_page("supernets"), zipped(with_config(bert(), model_type="mamba")))
    assert not app.exception
    [error] = app.error
    assert "mamba is not known here" in error.value
    assert not [button for button in app.button if button.key == "folder-add"]


class Chosen:
    """A file as a browser hands it over; of a folder's files the name says where each lay."""

    def __init__(self, name: str, data: bytes) -> None:
        self.name, self._data = name, data

    def getvalue(self) -> bytes:
        return self._data


def test_a_whole_folder_with_folders_inside_is_the_folder() -> None:
    files = bert()
    chosen = [Chosen(f"my-bert/{name}", data) for name, data in files.items()]
    inner = [Chosen("my-bert/1_Pooling/config.json", b"{}"), Chosen("my-bert/onnx/config.json", b"{}")]
    name, data = _as_one([*inner, *chosen])
    assert folders.is_folder(data)
    folder = of_zip(name, data)
    assert folder.title == "my-bert"
    assert {each: folder.read(each) for each in files} == files
    flat = _as_one([Chosen("a/card.json", b"{}"), Chosen("a/supernet.safetensors", b"x")])[1]
    assert not folders.is_folder(flat)
