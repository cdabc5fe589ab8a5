"""`load-supernet`: what is told of a checkpoint, a person's images in its classes, and the file that is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.supernets.files import load_supernet
from tests.cli.conftest import Call
from tests.helpers.ofa_checkpoints import resnet, resnet_file
from tests.helpers.picture_folders import pictures


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
