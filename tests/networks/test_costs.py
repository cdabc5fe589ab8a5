"""What a plain network costs agrees with what its supernet says of it."""

from __future__ import annotations

import pytest
import torch

from core.library import supernets
from core.library.networks import load_model
from core.networks.costs import count_macs, count_parameters
from core.supernets.families import FAMILIES
from tests.helpers.families import IMAGE_FAMILIES


@pytest.mark.parametrize("end", ["smallest", "largest"])
def test_counted_macs_are_those_of_the_supernet(end: str) -> None:
    entry = supernets.find(None, "digits-cnn")
    arch = getattr(entry.space, end)
    model = load_model(None, f"subnet:digits-cnn:{entry.space.arch_id(arch)}")
    costs = supernets.load(entry).costs(arch)
    assert count_macs(model.net, entry.header["config"]["input_shape"]) == sum(c.macs for c in costs)
    assert count_parameters(model.net) == sum(p.numel() for p in model.net.parameters()) > 0


@pytest.mark.parametrize("family", IMAGE_FAMILIES)
def test_every_family_counts_the_same_as_its_plain_network(family: str) -> None:
    plugin = FAMILIES.get(family)
    torch.manual_seed(0)
    supernet = plugin(plugin.example((1, 8, 8)))
    for arch in (supernet.smallest, supernet.largest):
        statistics = supernet.calibrate(arch, torch.rand(8, 1, 8, 8))
        counted = count_macs(supernet.extract(arch, statistics), (1, 8, 8))
        assert counted == sum(c.macs for c in supernet.costs(arch))
