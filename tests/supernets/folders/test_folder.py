"""Folders are found in archives and on the disk, and what is no folder of a transformer is refused with a sentence."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from core.errors import InvalidInput, NotFound
from core.supernets.folders.base import architecture_of
from core.supernets.folders.folder import Folder, is_folder_zip, of_path, of_zip, parsed
from core.supernets.loaders.base import loader_of
from tests.helpers.tiny_folders import bert, dumped, on_disk, sharded, vit, with_config, zipped


def plain(*members: tuple[str, bytes], packing: int = zipfile.ZIP_STORED) -> bytes:
    """An archive of members by their whole names."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packing) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, packing)
    return buffer.getvalue()


def test_an_archive_of_a_folder_or_of_its_files_is_the_same_folder(tmp_path: Path) -> None:
    files = bert()
    packed, bare, disk = (
        of_zip("x.zip", zipped(files)),
        of_zip("x.zip", zipped(files, "")),
        of_path(on_disk(files, tmp_path / "tiny")),
    )
    assert (packed.title, bare.title, disk.title) == ("tiny", "x", "tiny")
    for folder in (packed, bare, disk):
        assert folder.config["model_type"] == "bert"
        assert {name: folder.read(name) for name in files} == files
        assert folder.sha256() == disk.sha256()
    assert of_zip("x.zip", zipped(with_config(files, hidden_act="relu"))).sha256() != disk.sha256()
    assert disk.weight_bytes == len(files["model.safetensors"]) > 0
    assert of_path(on_disk(sharded(files), tmp_path / "parts")).weight_bytes > disk.weight_bytes // 2


def test_files_of_other_parts_and_of_a_mac_are_left_alone() -> None:
    files = zipped(bert())
    members = [
        *_members(files),
        ("tiny/1_Pooling/config.json", b"{}"),
        ("__MACOSX/tiny/config.json", b"\x00"),
    ]
    folder = of_zip("x.zip", plain(*members))
    assert folder.title == "tiny"
    assert folder.config["model_type"] == "bert"
    assert "1_Pooling/config.json" not in folder


def _members(data: bytes) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [(info.filename, archive.read(info)) for info in archive.infolist()]


def refused(files: dict[str, bytes]) -> str:
    data = zipped(files, packing=zipfile.ZIP_STORED)
    with pytest.raises(InvalidInput) as refusal:
        loader_of("x.zip", data).load("x.zip", data)
    return str(refusal.value)


def without(files: dict[str, bytes], *names: str) -> dict[str, bytes]:
    return {name: content for name, content in files.items() if name not in names}


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (without(bert(), "config.json"), "There is no config.json in the archive"),
        (without(bert(), "model.safetensors"), "There is no model.safetensors in the folder"),
        (
            without(bert(), "model.safetensors") | {"pytorch_model.bin": b"\x80\x02}."},
            "The weights are in pytorch_model.bin, which is never opened here, because loading it can run code; load "
            "the network where it comes from and save it with model.save_pretrained(folder, safe_serialization=True).",
        ),
        (
            without(sharded(bert()), "model.safetensors.index.json"),
            "in parts, but model.safetensors.index.json",
        ),
        (with_config(bert(), model_type="mamba"), "The architecture mamba is not known here; known are BERT"),
        (with_config(bert(), "model_type"), "does not say which network it is"),
        (with_config(bert(), architectures=["BertLMHeadModel"]), "names the class BertLMHeadModel; of BERT"),
        (with_config(bert(), architectures=[]), "names the class"),
        (with_config(bert(), quantization_config={"bits": 4}), "The weights are quantized"),
        (with_config(bert(), auto_map={"AutoModel": "x.Y"}), "code in a folder is never run"),
        (bert() | {"config.json": b"[" * 100_000}, "config.json is nested more than 24 levels deep."),
        (bert() | {"config.json": b'{"a":' * 900 + b"1" + b"}" * 900}, "more than 24 levels deep."),
        (bert() | {"config.json": b'{"a": 1, "a": 2}'}, "config.json names something twice."),
        (bert() | {"config.json": b'{"a": NaN}'}, "config.json holds NaN, which is no number of JSON."),
        (bert() | {"config.json": b'{"a": "\\ud800"}'}, "config.json is damaged"),
        (bert() | {"config.json": b"[1]"}, "config.json is not a JSON object."),
        (bert() | {"config.json": b'{"a": 1' + b"0" * 5000 + b"}"}, "config.json is damaged"),
        (bert() | {"config.json": dumped({"a": "x" * 2**20})}, "at most 1,048,576 are accepted."),
        (bert() | {"vocab.txt": b"a\xff\n"}, "vocab.txt is not text in UTF-8."),
    ],
)
def test_what_is_no_folder_of_a_model_is_told(files: dict[str, bytes], sentence: str) -> None:
    assert sentence in refused(files)


@pytest.mark.parametrize(
    ("member", "sentence"),
    [
        (("tiny/../config.json", b"{}"), "a file name that points outside it"),
        (("/config.json", b"{}"), "a file name that points outside it"),
        (("tiny/CONFIG.json", b"{}"), "two files with one name"),
        (("other/config.json", b"{}"), "several folders with a config.json"),
    ],
)
def test_an_archive_that_is_refused_is_refused_by_its_own_sentence(
    member: tuple[str, bytes], sentence: str
) -> None:
    data = plain(*_members(zipped(bert())), member)
    with pytest.raises(InvalidInput, match=sentence):
        loader_of("x.zip", data).load("x.zip", data)


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    data = plain(
        *_members(zipped(bert())), ("tiny/model2.safetensors", bytes(2**24)), packing=zipfile.ZIP_DEFLATED
    )
    with pytest.raises(InvalidInput, match="unpacks to more than 100 times its size"):
        loader_of("x.zip", data).load("x.zip", data)


def test_nothing_else_is_taken_for_a_folder() -> None:
    assert is_folder_zip(zipped(vit()))
    assert not is_folder_zip(plain(("cat/1.png", b"x"), ("configs.json", b"{}")))
    assert not is_folder_zip(b"config.json")
    assert not is_folder_zip(b"")


def test_a_folder_on_the_disk_that_is_not_there_or_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotFound, match="There is no folder"):
        of_path(tmp_path / "nowhere")
    (tmp_path / "sub").mkdir()
    with pytest.raises(InvalidInput, match=r"There is no config\.json"):
        architecture_of(of_path(tmp_path))
    monkeypatch.setattr("core.supernets.folders.folder._MOST_FILES", 2)
    for name in "abc":
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(InvalidInput, match="more than 2 files"):
        of_path(tmp_path)


def test_a_file_is_read_no_further_than_its_size_was(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_bytes(b"a\n")
    folder = of_path(tmp_path)
    (tmp_path / "vocab.txt").write_bytes(b"a\n" * 10**6)
    assert folder.read("vocab.txt") == b"a\n"


@pytest.mark.parametrize("value", [[], {"a": [1, {"b": None}]}, "é", 10**300])
def test_honest_json_is_read_as_it_is(value: Any) -> None:
    assert parsed(json.dumps({"x": value}).encode(), "x.json") == {"x": value}


def test_too_many_objects_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.supernets.folders.folder._MOST_JSON_OBJECTS", 10)
    with pytest.raises(InvalidInput, match="more than 10 objects"):
        parsed(json.dumps({"x": [{}] * 10}).encode(), "x.json")


def test_a_missing_file_is_named() -> None:
    folder = Folder("x", {}, lambda name: b"")
    with pytest.raises(InvalidInput, match=r"The folder has no vocab\.txt; copy the whole folder\."):
        folder.read("vocab.txt")
    assert folder.json("tokenizer_config.json") == {}
