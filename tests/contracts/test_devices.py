"""What every family owes a device: a forward pass, the walk, calibration and extraction stay where their input is.

On the strict device, which computes with the processor, all of it is the processor's to the last bit; `tests/gpu` asks the
same of a real one, to a tolerance.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from core.device import Device, using
from core.evaluation.evaluator import evaluate_table
from core.networks.trees import leaves, n_rows
from core.objectives.base import quick_names
from core.supernets import FAMILIES
from core.supernets.base import Supernet
from core.tasks.base import EvaluationData
from tests.helpers.fake_device import fake_device
from tests.helpers.nets import disturb

CALIBRATION = 16
EXAMPLES = [(name, i) for name in FAMILIES.names() for i in range(len(FAMILIES.get(name).examples()))]


@pytest.fixture(scope="module", params=EXAMPLES, ids=str)
def net(request) -> Supernet:
    name, index = request.param
    torch.manual_seed(0)
    family = FAMILIES.get(name)
    return disturb(family(family.examples()[index]), seed=1)


@pytest.fixture(scope="module")
def data(net) -> EvaluationData:
    inputs = net.task.random_inputs(net.config, 40, torch.Generator().manual_seed(2))
    with torch.no_grad():
        answered = net(inputs, net.largest)
    targets = torch.randint(0, net.classes, answered.shape[:-1], generator=torch.Generator().manual_seed(3))
    n = n_rows(answered)
    spans = {"validation": slice(CALIBRATION, 30), "test": slice(30, n)}
    return EvaluationData(inputs, targets, CALIBRATION, spans, dict.fromkeys(spans, 2.0))


def same(here: Any, there: Any) -> bool:
    return all(torch.equal(a, b) for a, b in zip(leaves(here), leaves(there), strict=True))


@pytest.mark.slow
def test_one_subnet_with_its_statistics_and_what_is_extracted(net, data) -> None:
    archs = [net.largest, tuple(net.space.sample_array(1, np.random.default_rng(5))[0].tolist())]
    with sdpa_kernel(SDPBackend.MATH), torch.no_grad(), fake_device() as device:
        there, inputs = device.net(net), device.put(data.inputs)
        for arch in archs:
            statistics = net.calibrate(arch, data.inputs, CALIBRATION)
            measured = there.calibrate(arch, inputs, CALIBRATION)
            assert same(list(statistics.values()), device.back(list(measured.values())))
            expected = net(data.inputs, arch, statistics)
            assert same(expected, device.back(there(inputs, arch, measured)))
            extracted = there.extract(arch, measured)
            assert {t.device.type for t in extracted.state_dict().values()} == {"cpu"}, (
                "what is cut out is for files"
            )
            assert same(net.extract(arch, statistics)(data.inputs), extracted(data.inputs))
            assert same(extracted(data.inputs), device.back(device.net(extracted)(inputs)))


@pytest.mark.slow
def test_a_walk_gives_the_same_numbers(net, data) -> None:
    rows = np.unique(net.space.sample_array(6, np.random.default_rng(3)), axis=0)
    names = quick_names(net.task.name)
    with sdpa_kernel(SDPBackend.MATH):
        here = evaluate_table(net, rows, names, data)
        with fake_device() as device:
            there = evaluate_table(net, rows, names, data)
            assert device.operations > len(rows), "it was computed there"
    for name in names:
        # Its reduction sums in another order, as torch lays out what it is given.
        tolerance = 1e-6 if net.name == "vit_resnas" and "loss" in name else 0
        np.testing.assert_allclose(there[name], here[name], rtol=tolerance, atol=0, err_msg=name)


def test_a_walk_in_bfloat16_is_near(net, data) -> None:
    rows = np.unique(net.space.sample_array(3, np.random.default_rng(3)), axis=0)
    here = evaluate_table(net, rows, ["loss"], data)["loss"]
    with using(Device("bf16")):
        near = evaluate_table(net, rows, ["loss"], data)["loss"]
    assert near.tobytes() != here.tobytes()
    # Eight bits a product, ten to twenty layers of random weights.
    np.testing.assert_allclose(near, here, rtol=0.1)
