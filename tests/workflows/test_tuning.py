"""Training that starts from a supernet there is: its weights, its configuration, and a run that can be cut anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from core.errors import InvalidInput
from core.library.library import Library
from core.library.supernets import SUPERNET_FILE, from_bytes
from core.records import Progress
from core.store import MemoryLedger
from core.supernets.converted import Converted
from core.supernets.converting import convert
from core.supernets.files import dump_supernet, load_supernet
from core.supernets.reading.onnx_file import read_onnx
from core.workflows import train_supernet
from core.workflows.train_supernet import Request, tune_request
from tests.helpers.given_networks import onnx_file, residual_onnx

DATA = {
    "name": "digits",
    "seed": 0,
    "config": {"limit_train": 128, "calibration": 64, "limit_validation": 60},
}


def folded_onnx() -> bytes:
    """Two convolutions with biases and a head: what an exporter makes of layers with BatchNorm."""
    import numpy as np
    from onnx import helper

    rng, node = np.random.default_rng(0), helper.make_node
    nodes = [node("Conv", ["x", "a.weight", "a.bias"], ["p"], pads=[1, 1, 1, 1]), node("Relu", ["p"], ["q"])]
    nodes += [node("Conv", ["q", "b.weight", "b.bias"], ["r"]), node("Relu", ["r"], ["s"])]
    nodes += [node("GlobalAveragePool", ["s"], ["t"]), node("Flatten", ["t"], ["u"])]
    nodes.append(node("Gemm", ["u", "c.weight", "c.bias"], ["y"], transB=1))
    shapes = {"a.weight": (8, 1, 3, 3), "a.bias": (8,), "b.weight": (8, 8, 3, 3), "b.bias": (8,)}
    shapes |= {"c.weight": (10, 8), "c.bias": (10,)}
    return onnx_file(
        nodes, {name: rng.standard_normal(s).astype(np.float32) / 2 for name, s in shapes.items()}
    )


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("start") / "start.safetensors"
    file.write_bytes(dump_supernet(convert(read_onnx(residual_onnx())).supernet, {"title": "Given"}))
    return file


def request(start: Path, **training: Any) -> Request:
    entry = from_bytes(start.read_bytes(), title="Given")
    asked = tune_request(entry, str(start), DATA, epochs=2)
    return Request.model_validate({**asked, "training": {**asked["training"], "batch_size": 32, **training}})


def tuned(asked: Request, ledger: MemoryLedger) -> list[Progress]:
    return list(train_supernet.run(asked, ledger, Library()))


def test_it_starts_from_the_weights_and_says_from_which(start: Path) -> None:
    given, _ = load_supernet(start.read_bytes())
    ledger = MemoryLedger()
    tuned(request(start, learning_rate=1e-9), ledger)
    made, card = load_supernet(ledger.artifact(SUPERNET_FILE))
    assert isinstance(made, Converted)
    for before, after in zip(given.state_dict().values(), made.state_dict().values(), strict=True):
        assert torch.allclose(before, after, atol=1e-4)
    entry = from_bytes(start.read_bytes(), title="x")
    assert card["tuned_from"]["sha256"] == entry.sha256
    assert card["data"]["name"] == "digits"
    assert card["data"]["fingerprint"]
    assert "train --from" in card["command"]
    faster = MemoryLedger()
    tuned(request(start, learning_rate=0.05), faster)
    assert faster.metrics()[-1]["loss"] < ledger.metrics()[-1]["loss"]


def test_a_run_that_is_cut_ends_with_the_same_weights(start: Path) -> None:
    folded = start.with_name("folded.safetensors")
    folded.write_bytes(dump_supernet(convert(read_onnx(folded_onnx())).supernet, {}))
    whole, cut = MemoryLedger(), MemoryLedger()
    tuned(request(folded), whole)
    for step in train_supernet.run(request(folded), cut, Library()):
        if step.metrics:
            break  # after the first epoch
    assert cut.latest_checkpoint() is not None
    tuned(request(folded), cut)
    assert whole.artifact(SUPERNET_FILE)[:8] == cut.artifact(SUPERNET_FILE)[:8]
    one, other = (load_supernet(ledger.artifact(SUPERNET_FILE))[0] for ledger in (whole, cut))
    assert one.needs_statistics, "BatchNorm was put back before the first step"
    assert all(
        torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    )


def test_what_does_not_fit_is_refused(start: Path) -> None:
    entry = from_bytes(start.read_bytes(), title="Given")
    with pytest.raises(InvalidInput, match="Nothing says which data"):
        tune_request(entry, str(start))
    asked = request(start)
    for broken, said in (
        ({"family": "elastic_cnn"}, "as they are"),
        ({"config": {"widths": []}}, "as they are"),
        ({"data": {"name": "tones"}}, "series data"),
    ):
        with pytest.raises(InvalidInput, match=said):
            tuned(
                asked.model_copy(update=Request.model_validate({**asked.model_dump(), **broken}).__dict__),
                MemoryLedger(),
            )
