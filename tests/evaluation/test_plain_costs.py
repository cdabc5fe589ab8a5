"""What a plain network costs agrees with what its supernet says of it."""

from __future__ import annotations

import pytest

from core.evaluation.plain_costs import count_macs, count_parameters
from core.workflows import library
from core.workflows.models import load_model


@pytest.mark.parametrize("arch_id", ["smallest", "largest"])
@pytest.mark.parametrize("supernet", ["digits-cnn", "fashion-cnn"])
def test_counted_macs_are_those_of_the_supernet(supernet: str, arch_id: str) -> None:
    entry = library.find(None, supernet)
    arch = getattr(entry.space, arch_id)
    model = load_model(None, f"subnet:{supernet}:{entry.space.arch_id(arch)}")
    costs = library.load(entry).costs(arch)
    assert count_macs(model.net, entry.header["config"]["input_shape"]) == sum(c.macs for c in costs)
    assert count_parameters(model.net) == sum(p.numel() for p in model.net.parameters()) > 0
