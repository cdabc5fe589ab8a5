"""What model.onnx says about itself, and the six lines of the card that run it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import onnxruntime
import pytest

from core.errors import CoreError
from core.export.bundle import read_members
from core.export.card import card_text
from core.export.exporting import export_subnet
from core.export.onnx_file import Onnx
from core.supernets import FAMILIES
from tests.export.subnets import subnet

families = pytest.mark.parametrize("family", FAMILIES.names())


@pytest.mark.slow
@families
def test_the_file_alone_says_classes_input_and_hash(family: str) -> None:
    made = subnet(family)
    files = read_members(export_subnet(made).data)
    session = onnxruntime.InferenceSession(files["model.onnx"], providers=["CPUExecutionProvider"])
    said = session.get_modelmeta().custom_metadata_map
    assert json.loads(said["classes"]) == list(made.classes)
    assert json.loads(said["input_shape"]) == list(made.input_shape)
    assert json.loads(said["inputs"]) == [entry.name for entry in session.get_inputs()]
    assert said["weights_sha256"] == hashlib.sha256(files["model.safetensors"]).hexdigest()
    assert said["architecture"] == made.arch_id
    if made.task == "image":
        assert "[0, 1]" in said["input_range"]
        assert "channels, height, width" in said["input"]


@pytest.mark.slow
@families
def test_the_six_lines_of_the_card_run(family: str, tmp_path: Path) -> None:
    made = subnet(family)
    files = read_members(export_subnet(made).data)
    (tmp_path / "model.onnx").write_bytes(files["model.onnx"])
    code = files["card.md"].decode().partition("```python\n")[2].partition("\n```")[0]
    assert len(code.splitlines()) == 6
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in made.classes


def test_a_file_that_says_something_else_is_not_handed_out() -> None:
    made = subnet("elastic_cnn")
    data = Onnx().export(replace(made, classes=tuple(reversed(made.classes))))
    with pytest.raises(CoreError, match="does not say what it is"):
        Onnx().run(data, made, made.probe(2))


def test_a_hostile_class_name_stays_inside_the_metadata() -> None:
    made = subnet("elastic_cnn")
    names = ('```"); import os #', *made.classes[1:])
    assert card_text(replace(made, classes=names)).count("```python") == 1
    data = Onnx().export(replace(made, classes=names))
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    assert json.loads(session.get_modelmeta().custom_metadata_map["classes"])[0] == names[0]
