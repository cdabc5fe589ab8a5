"""Counted costs against torch's own counter, and against themselves as JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from core.errors import InvalidInput
from core.evaluation.costs import CostTable
from core.objectives.base import FromCosts, method, names_of
from tests.helpers.nets import small_cnn


def test_macs_are_half_the_flops_torch_counts() -> None:
    net = small_cnn()
    table = CostTable.of(net)
    rows = net.space.sample_array(20, np.random.default_rng(0))
    macs = table.total("macs", rows)
    for row, expected in zip(rows.tolist(), macs, strict=True):
        image = torch.zeros(1, 1, 8, 8)
        subnet = net.extract(row, net.calibrate(row, torch.rand(4, 1, 8, 8)))
        with FlopCounterMode(display=False) as counter:
            subnet(image)
        assert counter.get_total_flops() == 2 * expected


def test_json_round_trip_prices_the_whole_space() -> None:
    net = small_cnn()
    table = CostTable.of(net)
    again = CostTable.from_json(json.loads(json.dumps(table.to_json())))
    rows = net.space.array()
    for name in names_of(FromCosts):
        objective = method(name, FromCosts)
        assert (table.counted(objective, rows) == again.counted(objective, rows)).all()
    arch = net.space.sample(np.random.default_rng(3))
    assert again.stages(arch) == net.costs(arch)


def test_large_and_small_tables_agree(monkeypatch) -> None:
    net = small_cnn()
    rows = net.space.array()[::7]
    expected = CostTable.of(net).total("macs", rows)
    monkeypatch.setattr("core.evaluation.costs._DENSE", 2)
    assert (CostTable.of(net).total("macs", rows) == expected).all()


@pytest.mark.parametrize("data", [{}, {"space": [], "stages": 3}, {"space": 1}])
def test_broken_tables_are_refused(data: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        CostTable.from_json(data)
