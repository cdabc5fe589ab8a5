"""`load-supernet`: what is told of a checkpoint, a person's images in its classes, and the file that is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.supernets.files import load_supernet
from tests.cli.conftest import Call
from tests.helpers.ofa_checkpoints import resnet, resnet_file
from tests.helpers.picture_folders import pictures
from tests.helpers.tiny_folders import bert, llama, on_disk, sharded


@pytest.mark.slow
@pytest.mark.usefixtures("checked_here")
def test_a_checkpoint_and_pictures_become_a_supernet_that_names_them(call: Call, tmp_path: Path) -> None:
    name, data = resnet_file()
    (tmp_path / name).write_bytes(data)
    (tmp_path / "own.zip").write_bytes(pictures({"0": 20, "6": 20}))
    out = tmp_path / "mine.safetensors"
    status, said, _ = call(
        "load-supernet", str(tmp_path / name), "--images", str(tmp_path / "own.zip"), "--out", str(out)
    )
    assert status == 0
    assert "Once-for-all ResNet-50" in said
    assert "No image is in two of these." in said
    net, card = load_supernet(out)
    assert net.space == resnet().space
    assert card["data"]["config"]["numbers"] == [0, 6]
    (tmp_path / "odd.zip").write_bytes(pictures({"0": 20, "dog": 20}))
    status, _, complaint = call("load-supernet", str(tmp_path / name), "--images", str(tmp_path / "odd.zip"))
    assert status == 2
    assert "1 of 2 folders are no class" in complaint
    (tmp_path / "x.pth").write_bytes(json.dumps({}).encode())
    status, _, complaint = call("load-supernet", str(tmp_path / "x.pth"))
    assert status == 2
    assert "nothing that can be loaded" in complaint


@pytest.mark.usefixtures("checked_here")
def test_a_folder_of_a_transformer_with_options_of_its_own(call: Call, tmp_path: Path) -> None:
    folder, out = on_disk(sharded(bert()), tmp_path / "bert-tiny"), tmp_path / "my.safetensors"
    status, said, _ = call(
        "load-supernet", str(folder), "--out", str(out), "--heads", "[0.5, 1]", "--skip", "false"
    )
    assert status == 0
    assert "Hugging Face folder: bert-tiny" in said
    assert "attention heads of a layer: 2, 4; chosen 2 times" in said
    net, card = load_supernet(out)
    assert (net.name, net.space.size) == ("elastic_bert", (2 * 4) ** 2)
    assert card["folder"]["architecture"] == "bert"
    assert card["folder"]["config"]["hidden_size"] == 16
    status, _, complaint = call("load-supernet", str(folder), "--heads", "[0.5, 0.75]")
    assert (status, complaint.count("\n")) == (2, 1)
    assert "--heads: shares are above 0 and ascend to 1" in complaint
    (folder / "model-00002-of-00002.safetensors").unlink()
    status, _, complaint = call("load-supernet", str(folder))
    assert status == 2
    assert "A part of the weights is missing: model-00002-of-00002.safetensors" in complaint


def test_settings_are_for_folders_alone(call: Call, tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"\x08\x07\x12")
    status, _, complaint = call("load-supernet", str(tmp_path / "x.onnx"), "--heads", "[1]")
    assert status == 2
    assert "only a folder of a transformer has settings" in complaint


@pytest.mark.slow
@pytest.mark.usefixtures("checked_here")
def test_a_folder_is_tuned_on_texts_that_its_own_tokenizer_splits(call: Call, tmp_path: Path) -> None:
    folder, out = (
        on_disk(llama(positions=32, layers=1, width=8, heads=2), tmp_path / "llama-tiny"),
        tmp_path / "my.safetensors",
    )
    assert (
        call("load-supernet", str(folder), "--out", str(out), "--ffn", "[0.5, 1]", "--heads", "[1]")[0] == 0
    )
    tuned = tmp_path / "tuned.safetensors"
    status, _, complaint = call(
        "train",
        "--from",
        str(out),
        "--data",
        "licenses",
        "--epochs",
        "1",
        "--method",
        "uniform",
        "--out",
        str(tuned),
    )
    assert status == 0, complaint
    before, after = load_supernet(out)[0], load_supernet(tuned)[0]
    assert after.tokenizer == before.tokenizer != b""
    card = load_supernet(tuned)[1]
    assert card["data"]["config"]["length"] == 32
    assert card["data"]["name"] == "licenses"
    assert card["data"]["classes"] == [], "a vocabulary could be longer than a card may be"
