"""A pruned network leaves the app as a file that runs on its own and says what was done to it."""

from __future__ import annotations

import ast
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import onnxruntime
import pytest
from safetensors.numpy import load

from core.datasets import write_npz
from core.errors import NotFound
from core.library import extract_subnet, supernets
from core.library.extract_pruned import download, extract_pruned, forms
from core.library.pruned import PrunedModel, list_pruned
from core.store import RunStore
from core.words import format_share
from tests.helpers.pruning import SMALLEST, pruned, small_request

pytestmark = pytest.mark.slow

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
    assert list(forms(of(store, "magnitude"))) == ["masked"]
    assert list(forms(of(store, "small_dense"))) == ["compact"]


@pytest.mark.parametrize(
    ("method", "form"),
    [
        ("l1_filters", "compact"),
        ("l1_filters", "masked"),
        ("magnitude", "masked"),
        ("small_dense", "compact"),
    ],
)
def test_the_download_runs_outside_and_gets_the_cards_accuracy(
    store: RunStore, tmp_path: Path, method: str, form: str
) -> None:
    model = of(store, method)
    files = members(download(store, model, "bundle", form).data)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    dataset = supernets.dataset(supernets.find(None, "digits-cnn"))
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
    assert f"{format_share(model.sparsity, 1)}" in card


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


def test_the_file_is_smaller_than_the_parents(store: RunStore) -> None:
    entry = supernets.find(None, "digits-cnn")
    arch = entry.space.from_id(SMALLEST.rpartition(":")[2])
    whole = extract_subnet.download(entry, arch, "safetensors").data
    for method in ("l1_filters", "small_dense"):
        assert len(download(store, of(store, method), "safetensors", "compact").data) < len(whole)


def test_zeros_of_pruned_weights_are_those_counted(store: RunStore) -> None:
    model = of(store, "magnitude")
    card = extract_pruned(store, model).card
    assert card["nonzero"].value == model.numbers["nonzero"] < model.numbers["params"]
    tensors = load(download(store, model, "safetensors", "masked").data)
    net = extract_pruned(store, model).net
    names = [name for name, _ in net.named_parameters()]
    assert sum(int((tensors[name] != 0).sum()) for name in names) == model.numbers["nonzero"]


def test_the_onnx_file_gets_the_cards_accuracy(store: RunStore) -> None:
    model = of(store, "l1_filters")
    found = extract_pruned(store, model, "compact")
    session = onnxruntime.InferenceSession(download(store, model, "onnx", "compact").data)
    test = supernets.dataset(supernets.find(None, "digits-cnn")).test
    name = session.get_inputs()[0].name
    answered = session.run(None, {name: test.x})[0].argmax(1)
    assert (answered == test.y).mean() == pytest.approx(found.card["test_accuracy"].value, abs=1e-9)


def test_the_bundle_needs_only_what_it_promises(store: RunStore) -> None:
    files = members(download(store, of(store, "l1_filters"), "bundle", "compact").data)
    own = {name.removesuffix(".py") for name in files}
    at_start, anywhere = set(), set()
    for name, content in files.items():
        if name.endswith(".py"):
            tree = ast.parse(content)
            at_start |= imported(tree.body)
            anywhere |= imported(ast.walk(tree))
    known = own | set(sys.stdlib_module_names) | {"torch", "numpy", "safetensors"}
    assert "torch" in at_start
    assert at_start <= known
    assert anywhere <= known | {"PIL"}, "pictures alone need one more, and only when they are read"


def imported(nodes: Iterable[ast.AST]) -> set[str]:
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found


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
