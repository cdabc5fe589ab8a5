"""A chain of blocks: described, built again with fresh weights, and asked for what it takes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from core.networks.blocks.base import named_kind
from core.networks.chain import blocks_of, fresh_like
from core.seeding import torch_seed
from tests.helpers.families import IMAGE_FAMILIES
from tests.helpers.nets import random_dataset, small_cnn
from tests.helpers.plain_nets import extracted


def template() -> nn.Sequential:
    net = small_cnn()
    return net.extract(
        net.smallest, net.calibrate(net.smallest, torch.from_numpy(random_dataset().calibration.x))
    )


def state(net: nn.Module) -> dict[str, bytes]:
    return {name: tensor.numpy().tobytes() for name, tensor in net.state_dict().items()}


@pytest.mark.parametrize("family", IMAGE_FAMILIES)
def test_a_fresh_network_has_the_structure_of_the_subnet_and_its_constants(family: str) -> None:
    subnet = extracted(family)
    net = fresh_like(subnet, 0)
    assert [type(b) for b in net] == [type(b) for b in subnet]
    expected = {name: t.shape for name, t in subnet.state_dict().items()}
    assert {name: t.shape for name, t in net.state_dict().items()} == expected
    for constant in ("mean", "std"):
        assert torch.equal(getattr(net[0], constant), getattr(subnet[0], constant))
    assert net[0].mean.abs().sum() > 0
    first, before = (next(p for p in each.parameters() if p.ndim > 1) for each in (net, subnet))
    assert not torch.equal(first, before)
    for name, part in net.named_modules():
        if isinstance(part, nn.BatchNorm2d):
            assert torch.equal(part.weight, torch.ones_like(part.weight)), name
            assert torch.equal(part.running_var, torch.ones_like(part.running_var)), name


def test_weights_are_torchs_own_and_follow_the_seed_alone() -> None:
    one, again, other = fresh_like(template(), 5), fresh_like(template(), 5), fresh_like(template(), 6)
    assert state(one) == state(again)
    assert state(one) != state(other)
    blocks = blocks_of(template())
    torch.manual_seed(torch_seed(5, "alone", "weights"))
    plainly = [named_kind(b["block"]).module(**b["arguments"]) for b in blocks]  # type: ignore[union-attr]
    for mine, theirs in zip(one.parameters(), nn.Sequential(*plainly).parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_the_global_generator_stays_as_it_was() -> None:
    subnet = template()
    before = torch.get_rng_state()
    fresh_like(subnet, 1)
    assert torch.equal(before, torch.get_rng_state())
