"""Folders in the library: understood before anything is built, made once for each choice of options, kept as any file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.errors import InvalidInput, NotFound
from core.library import folders, loading
from core.store import RunStore
from core.supernets.files import load_supernet
from core.supernets.folders import worker as looker
from core.supernets.loaders import worker as loader
from tests.helpers.tiny_folders import bert, llama, on_disk, sharded, with_config, zipped

HEADS = {"heads": [0.5, 1.0]}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Workers that were started; they work in this process."""
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path / "home"))
    started: list[str] = []
    modules: dict[str, Callable[..., Any]] = {folders.LOOKER: looker.work, loading.LOADER: loader.work}

    def here(module: str, data: bytes, options: Any, target: Path | None = None, limits: Any = None) -> Any:
        started.append(module)
        package = target or tmp_path / "nothing"
        package.parent.mkdir(parents=True, exist_ok=True)
        answer = modules[module](data, options, package)
        return json.loads(json.dumps(answer))

    monkeypatch.setattr("core.library.folders.run_confined", here)
    monkeypatch.setattr("core.library.loading.run_confined", here)
    return started


def test_it_is_understood_without_being_built(asked: list[str], tmp_path: Path) -> None:
    data = zipped(llama(seed=7))
    told = folders.understood("x.zip", data)
    assert (told.architecture, told.title, told.task) == ("llama", "tiny", "language")
    assert asked == [folders.LOOKER]
    assert folders.understood("x.zip", data, {"heads": [0.25, 0.5, 0.75, 1.0]}) == told, (
        "these are the defaults"
    )
    assert asked == [folders.LOOKER], "known already"
    other = folders.understood("x.zip", data, {"skip": False})
    assert other.size < told.size
    assert len(asked) == 2
    assert not (tmp_path / "home" / "loaded").exists()


def test_what_is_understood_is_what_is_made(asked: list[str]) -> None:
    data = zipped(bert(seed=7))
    told, made = folders.understood("x.zip", data, HEADS), folders.load("x.zip", data, HEADS)
    assert (made.family, made.size, made.choices, made.params) == (
        told.family,
        told.size,
        told.choices,
        told.params,
    )
    assert (made.input_shape, made.classes, made.task) == (told.input_shape, told.classes, told.task)
    assert told.tokenizer in made.facts
    net, card = load_supernet(loading.converted(made))
    assert net.space.size == told.size
    assert card["folder"]["options"]["heads"] == HEADS["heads"]


def test_other_options_make_another_supernet_of_the_same_file(asked: list[str]) -> None:
    data = zipped(bert(seed=8))
    first, second = folders.load("x.zip", data), folders.load("x.zip", data, HEADS)
    assert first.sha256 == second.sha256
    assert first.size > second.size
    assert first.file_sha256 != second.file_sha256
    assert [load_supernet(loading.converted(each))[0].space.size for each in (first, second)] == [
        first.size,
        second.size,
    ]
    n = len(asked)
    assert folders.load("x.zip", data) == first
    assert loading.understand("x.zip", data) == first, "no options are the defaults"
    assert len(asked) == n


def test_a_folder_on_the_disk_is_read_there_and_again_when_it_changed(
    asked: list[str], tmp_path: Path
) -> None:
    path = on_disk(sharded(bert(seed=9)), tmp_path / "mine")
    assert folders.is_folder(path)
    assert not folders.is_folder(tmp_path / "nowhere")
    made = folders.load("mine", path)
    assert made.title == "mine"
    assert folders.load("mine", path) == made
    (path / "README.md").write_text("Not read, so nothing changed.")
    assert folders.load("mine", path) == made
    assert asked == [loading.LOADER]
    on_disk(with_config(sharded(bert(seed=9)), hidden_act="relu"), path)
    assert folders.load("mine", path).file_sha256 != made.file_sha256
    with pytest.raises(NotFound, match="There is no folder"):
        folders.load("x", tmp_path / "nowhere")


def test_a_refusal_is_remembered(asked: list[str]) -> None:
    data = zipped(with_config(bert(seed=10), hidden_act="mish"))
    for ask in (folders.understood, folders.load):
        for _ in range(2):
            with pytest.raises(InvalidInput, match="The activation mish is not known"):
                ask("x.zip", data)
    assert asked == [folders.LOOKER, loading.LOADER]
    with pytest.raises(InvalidInput, match="heads: shares are above 0"):
        folders.understood("x.zip", data, {"heads": [0.5]})
    assert len(asked) == 2, "options are judged here"


def test_it_is_kept_with_what_was_understood(asked: list[str], tmp_path: Path) -> None:
    data = zipped(bert(seed=11))
    with RunStore("sqlite://", tmp_path) as store:
        added = loading.keep(store, folders.load("x.zip", data, HEADS), "My BERT")
        card = store.get_supernet(added.supernet_id).card
        assert card["loaded"]["loader"] == "hugging_face"
        assert loading.keep(store, folders.load("x.zip", data, HEADS), "again").was_there
        assert not loading.keep(store, folders.load("x.zip", data), "all heads").was_there
