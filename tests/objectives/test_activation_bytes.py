"""Memory for activations: counted from stages, checked on the extracted network itself."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from core.evaluation.costs import CostTable
from core.objectives.activation_bytes import ActivationBytes
from core.supernets import FAMILIES
from tests.helpers.nets import disturb


def largest_pair(subnet: nn.Sequential, sample: object) -> int:
    """Most numbers in the outputs of two stages that follow each other, and are alive together."""
    sizes = [0]
    x = sample
    for stage in subnet:
        x = stage(x)
        sizes.append(x.numel())
    return max(a + b for a, b in itertools.pairwise(sizes))


@pytest.mark.parametrize("name", ["elastic_cnn", "elastic_vit", "nas_bench_201"])
def test_is_what_the_extracted_networks_maps_take(name: str) -> None:
    family = FAMILIES.get(name)
    torch.manual_seed(0)
    net = disturb(family(family.example((1, 8, 8))))
    table = CostTable.of(net)
    rows = net.space.sample_array(12, np.random.default_rng(1))
    found = table.counted(ActivationBytes(), rows)
    sample = torch.rand(1, 1, 8, 8)
    with torch.no_grad():
        for row, value in zip(rows.tolist(), found.tolist(), strict=True):
            subnet = net.extract(row, net.calibrate(row, torch.rand(8, 1, 8, 8)))
            assert value == 4 * largest_pair(subnet, sample), row
    if name != "nas_bench_201":  # its cells keep their shape whatever their operations
        assert len(set(found.tolist())) > 1


class OfSizes:
    """Costs of one architecture whose stages' outputs have these sizes, None where a stage is absent."""

    def __init__(self, *sizes: int | None) -> None:
        self.sizes = sizes

    def __len__(self) -> int:
        return 1

    def stages(self) -> Iterator[SimpleNamespace]:
        for size in self.sizes:
            yield SimpleNamespace(present=np.array([size is not None]), output_size=np.array([size or 0]))


@pytest.mark.parametrize(
    ("sizes", "numbers"),
    [
        ((3, 8, 5), 13),
        ((8, None, 9), 17),
        ((8, None, None, 1), 9),
        ((None, 4), 4),
        ((1, 10, None, 2, 11), 13),
    ],
)
def test_a_stage_that_is_absent_hands_on_what_it_was_given(
    sizes: tuple[int | None, ...], numbers: int
) -> None:
    assert ActivationBytes().counted(OfSizes(*sizes)).tolist() == [4 * numbers]
