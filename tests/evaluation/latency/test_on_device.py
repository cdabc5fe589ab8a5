"""Latency by torch on a device, with its clock."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.device import Device
from core.evaluation.latency.on_device import DeviceRace, described
from core.evaluation.latency.protocol import Patience, time_rounds
from core.networks.file import dump_net
from tests.helpers.fake_device import fake_device
from tests.helpers.nets import small_cnn


@pytest.fixture(scope="module")
def files() -> list[bytes]:
    net = small_cnn()
    inputs = torch.rand(24, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    archs = [net.smallest, net.largest]
    return [dump_net(net.extract(a, net.calibrate(a, inputs)), (1, 8, 8), {}) for a in archs]


def race(device: Device, files: list[bytes], batch: int = 1) -> DeviceRace:
    made = DeviceRace(device, [np.zeros((batch, 1, 8, 8), np.float32)], runs=3)
    for file in files:
        made.add(file)
    return made


def test_the_devices_own_time_counts_and_nothing_else(files) -> None:
    with fake_device() as device:
        two = race(device, files)
        device.operation = 0.5
        for which, net in enumerate(two._nets):
            before = device.operations
            with torch.inference_mode():
                net(two._inputs[which])
            taken = device.operations - before
            two_ms = 1000 * 0.5 * taken
            assert two._fastest(net, two._inputs[which]) == pytest.approx(two_ms)
        *_, found = time_rounds(two, Patience(most_rounds=6))
        assert found.rounds == 6
        assert found.agreed
        assert (found.spread == 0).all()


def test_networks_and_samples_are_moved_once(files) -> None:
    with fake_device() as device:
        two = race(device, files, batch=4)
        moved = device.moved
        two.round()
        two.round()
        assert device.moved == moved
        assert two.minima.shape == (2, 2)


def test_on_the_processor_it_is_time_that_passes(files) -> None:
    two = race(Device(), files)
    two.round()
    assert (two.minima > 0).all()


def test_batch_and_precision_are_part_of_the_name() -> None:
    with fake_device() as device:
        names = {described(device, batch=b).objective for b in (1, 8)}
        names |= {described(device, name="mine").objective}
        assert len(names) == 3
        slug = described(device, batch=8).slug
    assert "torch" in slug
    assert "strict" in slug
    assert "batch-8" in slug
    assert "bfloat16" in described(Device("bf16")).slug
    assert described(Device()).runtime == "torch"
