"""What goes out of a language model on the command line: a folder for transformers, and its front as slices."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path

import pytest

from core.datasets import load_dataset
from core.supernets.files import build, dump_supernet
from tests.cli.conftest import Call
from tests.helpers.nets import disturb
from tests.helpers.small_decoder import CONFIG, DATA

pytestmark = pytest.mark.slow


@pytest.fixture
def decoder(tmp_path: Path) -> Path:
    """A file with a decoder of random weights. Its front may be its smallest subnet alone, which must have a layer."""
    dataset = load_dataset("licenses", **DATA["config"])  # type: ignore[arg-type]
    net = disturb(build("elastic_decoder", {**CONFIG, "skippable": [2], **dataset.inputs}))
    net.tokenizer = dataset.tokenizer
    card = {"title": "writer", "data": {**DATA, "fingerprint": dataset.fingerprint}}
    path = tmp_path / "writer.safetensors"
    path.write_bytes(dump_supernet(net, card))
    return path


def test_a_folder_and_slices(call: Call, decoder: Path, tmp_path: Path) -> None:
    arch = json.dumps({"hidden1": 16, "hidden2": 0, "hidden3": 8})
    out = tmp_path / "folder.zip"
    status, _, complaint = call(
        "extract", str(decoder), "--arch", arch, "--format", "transformers_folder", "--out", str(out)
    )
    assert (status, complaint) == (0, "")
    with zipfile.ZipFile(io.BytesIO(out.read_bytes())) as archive:
        config = json.loads(archive.read("config.json"))
        assert {"tokenizer.json", "tokenizer_config.json", "README.md"} < set(archive.namelist())
    assert (config["num_hidden_layers"], config["intermediate_size"]) == (2, 16)
    rows = tmp_path / "rows.csv"
    asked = ["front", str(decoder), "--objectives", "loss,params", "--matformer", str(rows)]
    status, said, complaint = call(*asked, "--exact")
    assert status == 0, complaint
    assert "slices of MatFormer as mistral.rs reads them" in said
    with rows.open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    assert found
    assert all(float(row["# Effective Params (B)"]) > 0 and row["FFN Hidden Dims"][0] == "[" for row in found)
    status, _, complaint = call(*asked, "--sample", "3")
    assert (status, "--matformer goes with --exact" in complaint) == (2, True)
