"""Two devices compared: what differs is counted, and what is a fault is found."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.device import Device, device_of
from core.evaluation.agreement import compare
from core.supernets.base import Supernet
from core.tasks.base import EvaluationData, evaluation_data
from tests.helpers.fake_device import fake_device
from tests.helpers.nets import random_dataset, small_cnn


@pytest.fixture(scope="module")
def net() -> Supernet:
    return small_cnn()


@pytest.fixture(scope="module")
def data() -> EvaluationData:
    return evaluation_data(random_dataset(60))


@pytest.fixture(scope="module")
def rows(net) -> np.ndarray:
    return np.unique(net.space.sample_array(12, np.random.default_rng(0)), axis=0)


@pytest.mark.slow
def test_the_same_arithmetic_agrees_to_the_last_bit(net, data, rows) -> None:
    with fake_device() as device:
        found = compare(net, rows, data, "test", device)
        assert device.operations > 0
    assert (found.subnets, found.answers) == (len(rows), 60 * len(rows))
    assert (found.difference, found.differ, found.unexplained) == (0, 0, 0)
    assert found.holds
    assert found.here > 0
    assert found.there > 0


def test_near_ties_are_those_that_the_tolerance_could_turn(net, data, rows) -> None:
    found = compare(net, rows, data, "test", device_of("cpu"))
    from core.evaluation.walking import outputs

    with torch.inference_mode():
        logits = torch.stack([o[data.spans["test"]] for _, o in outputs(net, rows, data, device_of("cpu"))])
    two = logits.sort(-1).values[..., -2:]
    assert found.largest == pytest.approx(float(logits.abs().max()))
    assert found.tolerance == pytest.approx(3e-4 * found.largest)
    assert found.near_ties == int((two[..., 1] - two[..., 0] < 2 * found.tolerance).sum())


def test_rounding_to_eight_bits_is_seen_and_within_what_is_said_of_it(net, data, rows) -> None:
    found = compare(net, rows, data, "test", Device("bf16"))
    assert found.difference > 3e-4 * found.largest, "float32 would not be excused for it"
    assert found.difference < found.tolerance
    assert found.unexplained == 0
    assert found.holds


@pytest.mark.slow
@pytest.mark.parametrize("fault", [0.01, 3.0])
def test_a_device_that_computes_something_else_is_found(net, data, rows, fault, monkeypatch) -> None:
    with fake_device() as device:
        put = device.put

        def wrong(tree):
            moved = put(tree)
            return moved * (1 + fault) if isinstance(moved, torch.Tensor) and moved.ndim == 4 else moved

        monkeypatch.setattr(device, "put", wrong)
        found = compare(net, rows, data, "test", device)
    assert not found.holds
    assert found.difference > found.tolerance
    assert (found.unexplained > 0) is (fault > 1)
