"""A pruned network leaves the app as a file that runs on its own and says what was done to it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from safetensors.numpy import load

from core.datasets import write_npz
from core.errors import NotFound
from core.store import RunStore
from core.workflows import library
from core.workflows.extract_pruned import download, extract_pruned, forms
from core.workflows.pruned_models import PrunedModel, list_pruned
from tests.helpers.pruning import SMALLEST, pruned, small_request

METHODS = [{"name": n, "sparsities": [0.5]} for n in ("magnitude", "l1_filters")] + [
    {"name": "small_dense", "sparsities": [0.5], "config": {"epochs": 1}}
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunStore]:
    path = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARETOSCOPE_HOME", str(path))
        patch.delenv("PARETOSCOPE_DATABASE_URL", raising=False)
        with RunStore(f"sqlite:///{path / 'test.db'}", path) as opened:
            pruned(opened, small_request(methods=METHODS, latency=False))
            yield opened


def of(store: RunStore, method: str) -> PrunedModel:
    return next(m for m in list_pruned(store, SMALLEST) if m.method == method)


def members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_units_can_be_had_in_two_forms_weights_in_one(store: RunStore) -> None:
    assert list(forms(of(store, "l1_filters"))) == ["compact", "masked"]
    for method in ("magnitude", "small_dense"):
        assert list(forms(of(store, method))) == ["masked"]


@pytest.mark.parametrize(
    ("method", "form"),
    [("l1_filters", "compact"), ("l1_filters", "masked"), ("magnitude", "masked"), ("small_dense", "masked")],
)
def test_the_download_runs_outside_and_gets_the_cards_accuracy(
    store: RunStore, tmp_path: Path, method: str, form: str
) -> None:
    model = of(store, method)
    files = members(download(store, model, "bundle", form).data)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    dataset = library.dataset(library.find(None, "digits-cnn"))
    write_npz(dataset, "test", tmp_path / "test.npz")
    command = [sys.executable, "-I", "predict.py", "test.npz"]
    environment = {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    about = json.loads(files["architecture.json"])
    assert json.loads(done.stdout)["accuracy"] == about["metrics"]["test_accuracy"]["value"]
    assert about["metrics"]["test_accuracy"]["value"] == pytest.approx(model.numbers["test_accuracy"])
    assert model.label in about["history"]
    card = files["card.md"].decode()
    assert card.startswith("# A pruned subnet of")
    assert f"{model.sparsity:.1%}" in card


def test_compact_is_smaller_and_masked_has_zeros(store: RunStore) -> None:
    model = of(store, "l1_filters")
    compact, masked = (download(store, model, "safetensors", form).data for form in ("compact", "masked"))
    assert len(compact) < len(masked)
    small, whole = extract_pruned(store, model, "compact"), extract_pruned(store, model, "masked")
    assert small.card["params"].value == model.numbers["params"] < whole.card["params"].value
    assert small.card["macs"].value == model.numbers["macs"] < whole.card["macs"].value
    assert whole.card["nonzero"].value < whole.card["params"].value
    assert small.card["test_accuracy"].value == whole.card["test_accuracy"].value
    assert small.file_name("zip") != whole.file_name("zip")
    weights = of(store, "magnitude")
    tensors = load(download(store, weights, "safetensors", "masked").data)
    zeros = sum(
        int((t == 0).sum())
        for name, t in tensors.items()
        if t.ndim > 1 and "mean" not in name and "std" not in name
    )
    assert zeros == 136, "half of 273 weights, rounded to even"


def test_every_format_is_read_back(store: RunStore) -> None:
    model = of(store, "l1_filters")
    for name in ("onnx", "python_source", "torch_export"):
        made = download(store, model, name, "compact")
        assert made.data
        assert "l1-filters-50" in made.file_name
        assert download(store, model, name, "compact") is made, "kept"


def test_strangers_are_not_found(store: RunStore) -> None:
    with pytest.raises(NotFound):
        download(store, of(store, "magnitude"), "docx")
