"""Random subnets of the shipped supernet: in place, extracted and as ONNX they compute the same (200 in the long form)."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.export.exporting import export_subnet
from core.export.subnet import extract_subnet
from core.library import supernets


@pytest.fixture(scope="module")
def shipped():
    entry = supernets.find(None, "digits-cnn")
    return supernets.load(entry), supernets.dataset(entry)


@pytest.mark.slow
@pytest.mark.parametrize("n", [30, pytest.param(200, marks=pytest.mark.long)])
def test_in_place_extracted_and_onnx_agree(n: int, shipped) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    net, dataset = shipped
    rows = np.unique(net.space.sample_array(2 * n, np.random.default_rng(200)), axis=0)
    rows = np.random.default_rng(1).permutation(rows)[:n]
    assert len(rows) == n
    images, calibration = torch.from_numpy(dataset.test.x[:64]), torch.from_numpy(dataset.calibration.x)
    worst_extracted = worst_onnx = 0.0
    for row in rows.tolist():
        expected = net(images, row, net.calibrate(row, calibration))
        subnet = extract_subnet(net, row, dataset, splits=())
        worst_extracted = max(worst_extracted, float((subnet.net(images) - expected).abs().max()))
        session = onnxruntime.InferenceSession(
            export_subnet(subnet, "onnx").data, options, providers=["CPUExecutionProvider"]
        )
        [logits] = session.run(None, {session.get_inputs()[0].name: images.numpy()})
        worst_onnx = max(worst_onnx, float(np.abs(logits - expected.numpy()).max()))
    assert worst_extracted <= 1e-5
    assert worst_onnx <= 1e-4
