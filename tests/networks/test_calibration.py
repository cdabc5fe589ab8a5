"""BatchNorm statistics of a plain network: those that its supernet records, and others without a trace."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from core.networks.calibration import recalibrate, remeasure
from core.supernets import FAMILIES
from tests.helpers.families import IMAGE_FAMILIES
from tests.helpers.nets import disturb
from tests.helpers.plain_nets import extracted

SHAPE = (1, 8, 8)


@pytest.mark.parametrize("family", IMAGE_FAMILIES)
def test_recalibrating_gives_the_statistics_that_the_supernet_records(family: str) -> None:
    torch.manual_seed(0)
    cls = FAMILIES.get(family)
    net = disturb(cls(cls.example(SHAPE)))
    images = torch.rand(24, *SHAPE, generator=torch.Generator().manual_seed(3))
    arch = net.space.canonical(net.space.sample(np.random.default_rng(0)))
    known = net.extract(arch, net.calibrate(arch, images))
    spoiled = copy.deepcopy(known)
    for part in spoiled.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.fill_(7.0)
            part.running_var.fill_(0.1)
            part.num_batches_tracked.fill_(9)
    recalibrate(spoiled.train(), images)
    for name, tensor in known.state_dict().items():
        torch.testing.assert_close(spoiled.state_dict()[name], tensor, rtol=1e-4, atol=1e-5)
    assert not spoiled.training
    assert not any(m._forward_pre_hooks for m in spoiled.modules())


def test_measuring_again_keeps_what_is_computed_and_takes_the_statistics_of_the_batch() -> None:
    net = extracted()
    inputs = torch.rand(32, *SHAPE, generator=torch.Generator().manual_seed(5)) * 0.5
    again = copy.deepcopy(net)
    remeasure(again, inputs)
    with torch.no_grad():
        torch.testing.assert_close(again(inputs), net(inputs), rtol=1e-4, atol=1e-5)
    entered = again[0].conv((inputs - again[0].mean) / again[0].std)
    torch.testing.assert_close(again[0].norm.running_mean, entered.mean((0, 2, 3)), rtol=1e-4, atol=1e-5)
    assert not torch.equal(again[0].norm.running_mean, net[0].norm.running_mean)


def test_vectors_are_calibrated_too() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4, eps=1e-9), nn.ReLU(), nn.Linear(4, 2))
    inputs = torch.rand(20, 3, generator=torch.Generator().manual_seed(0))
    recalibrate(net, inputs)
    with torch.no_grad():
        normalized = net[1](net[0](inputs))
    torch.testing.assert_close(normalized.mean(0), torch.zeros(4), rtol=0, atol=1e-5)
    torch.testing.assert_close(normalized.var(0, correction=0), torch.ones(4), rtol=0, atol=1e-4)
