"""Files put together from stages are the files that exporting the whole subnet gives."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import pytest
import torch

from core.export import onnx_parts
from core.export.onnx_parts import OnnxParts
from core.export.tracing import feed, onnx_bytes
from core.networks.trees import rows_of
from core.objectives.timing import session
from core.supernets.families import FAMILIES
from tests.helpers.nets import disturb, small_cnn

# onnxruntime removes what hands a tensor on, and computes equal expressions once.
FREE = {"Identity"}


def operations(data: bytes) -> Counter[str]:
    return Counter(
        node.op_type for node in onnx.load_from_string(data).graph.node if node.op_type not in FREE
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["elastic_cnn", "elastic_vit", "elastic_gcn"])
def test_the_operations_are_those_of_the_whole(name: str) -> None:
    torch.manual_seed(0)
    family = FAMILIES.get(name)
    net = disturb(family(family.examples()[0])).requires_grad_(False).eval()
    parts = OnnxParts(net)
    for row in net.space.sample_array(3, np.random.default_rng(0)).tolist():
        whole = onnx_bytes(parts._extracted(tuple(row)), net.config.input_shape, net.task.inputs)
        made = parts.file(tuple(row))
        assert operations(made) == operations(whole)
        if name != "elastic_gcn":
            onnx.checker.check_model(onnx.load_from_string(made), full_check=True)


@pytest.mark.parametrize("name", ["elastic_cnn", "elastic_encoder"])
def test_the_first_answers_as_the_subnet_does_for_any_batch(name: str) -> None:
    torch.manual_seed(0)
    family = FAMILIES.get(name)
    net = disturb(family(family.examples()[0])).requires_grad_(False).eval()
    parts = OnnxParts(net)
    arch = tuple(net.space.sample_array(1, np.random.default_rng(1))[0].tolist())
    run = session(parts.file(arch))
    for rows in (1, 5):
        x = rows_of(parts._inputs, slice(rows))
        [answered] = run.run(["logits"], feed(run, x))
        np.testing.assert_allclose(answered, parts._extracted(arch)(x).numpy(), rtol=1e-3, atol=1e-4)
    assert [len(array) for array in parts.sample(20)] == [20] * len(net.task.inputs)


def test_a_stage_is_exported_once(monkeypatch: pytest.MonkeyPatch) -> None:
    net = small_cnn().requires_grad_(False).eval()
    exported: list[str] = []
    plain = onnx_parts._exported

    def counting(block, x, prefix):
        exported.append(prefix)
        return plain(block, x, prefix)

    monkeypatch.setattr(onnx_parts, "_exported", counting)
    parts = OnnxParts(net)
    arch = net.space.largest
    first = parts.file(arch)
    assert len(exported) == len(net.costs(arch))
    assert parts.file(arch) == first
    shallow = net.space.from_dict(net.space.to_dict(arch) | {"depth3": 1})
    parts.file(shallow)
    assert len(exported) == len(net.costs(arch)), "the first block of a group is the same for every depth"


@pytest.mark.slow
def test_where_a_file_would_answer_otherwise_the_whole_is_exported(monkeypatch: pytest.MonkeyPatch) -> None:
    net = small_cnn().requires_grad_(False).eval()
    parts, arch = OnnxParts(net), net.space.largest
    monkeypatch.setattr(parts, "_answers_alike", lambda *_: setattr(parts, "_whole", True))
    whole = onnx_bytes(parts._extracted(arch), net.config.input_shape, net.task.inputs)
    assert parts.file(arch) == parts.file(arch) == whole
