"""Counted costs against torch's own counter, and against themselves as JSON."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from core.errors import InvalidInput
from core.evaluation.costs import CostTable, NotCounted
from core.objectives.base import FromCosts, is_for, method, names_of
from core.settings import ASSETS
from core.spaces import Choice, SearchSpace
from core.supernets import FAMILIES
from core.supernets.base import Stage, Supernet
from core.supernets.stage_cost import StageCost, counts
from core.tasks.base import InputConfig
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


OF_ANY = [name for name in names_of(FromCosts) if is_for(name, "image")]


def test_json_round_trip_prices_the_whole_space() -> None:
    net = small_cnn()
    table = CostTable.of(net)
    again = CostTable.from_json(json.loads(json.dumps(table.to_json())))
    rows = net.space.array()
    for name in OF_ANY:
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


@pytest.mark.slow
def test_a_stage_that_depends_on_everything_is_stored_without_repeating_itself() -> None:
    family = FAMILIES.get("nas_bench_201")
    with torch.device("meta"):
        table = CostTable.of(family(family.example((1, 8, 8))))
    text = json.dumps(table.to_json())
    assert len(text) < 200_000, "15,625 entries of each of three cells"
    again = CostTable.from_json(json.loads(text))
    rows = table.space.array()[::31]
    for name in OF_ANY:
        objective = method(name, FromCosts)
        np.testing.assert_array_equal(again.counted(objective, rows), table.counted(objective, rows))
    assert again.stages(rows[5].tolist()) == table.stages(rows[5].tolist())


def test_a_stage_with_more_entries_than_numbers_is_counted_and_not_stored() -> None:
    choices = [Choice(f"c{index}", (0, 1, 2, 3)) for index in range(40)]
    space = SearchSpace(choices)

    class Everything(Stage):
        depends_on = space.names

        def cost(self, arch):
            shape = (1,)
            return StageCost("all", "all", "block", shape, 1, counts(macs=int(sum(arch)), params=1))

    net = Supernet(InputConfig(input_shape=(1,)), space, [Everything(space)])
    rows = space.sample_array(50, np.random.default_rng(0))
    table = CostTable.of(net)
    np.testing.assert_array_equal(table.total("macs", rows), rows.sum(axis=1))
    with pytest.raises(InvalidInput, match="too large"):
        table.to_json()


def test_cost_tables_of_release_0_1_are_read() -> None:
    old = {
        "label": "stem",
        "group": "stem",
        "kind": "stem",
        "macs": 576,
        "params": 11,
        "output_shape": [1, 8, 8],
        "channels": 1,
        "detail": "k3",
        "buffer_bytes": 24,
    }
    read = StageCost.from_json(old)
    assert (read.macs, read.params, read.counted["bytes"], read.output_size) == (576, 11, 4 * 11 + 24, 64)
    assert StageCost.from_json(json.loads(json.dumps(read.to_json()))) == read
    card = json.loads((ASSETS / "supernets" / "digits-cnn" / "card.json").read_text(encoding="utf-8"))
    for stage in card["costs"]["stages"]:
        for row in filter(None, stage["rows"]):
            counted = row.pop("counted")
            row |= {"macs": counted["macs"], "params": counted["params"]}
            row["buffer_bytes"] = counted["bytes"] - 4 * counted["params"]
    table = CostTable.from_json(card["costs"])
    with pytest.raises(NotCounted):
        table.total("held_bytes", table.space.array()[:1])
    assert table.total("bytes", table.space.array()[:1])[0] > 0


def test_a_quantity_that_stages_do_not_count_is_a_sentence() -> None:
    net = small_cnn()
    with pytest.raises(NotCounted, match="do not count bit operations"):
        CostTable.of(net).total("bit_operations", net.space.array()[:2])


def test_a_new_quantity_needs_nothing_here(monkeypatch) -> None:
    net = small_cnn()
    for stage in net.chain:
        real = stage.cost
        monkeypatch.setattr(
            stage,
            "cost",
            lambda arch, real=real: replace(real(arch), counted={**real(arch).counted, "reads": 7}),
        )
    rows = net.space.array()[::53]
    table = CostTable.of(net)
    again = CostTable.from_json(json.loads(json.dumps(table.to_json())))
    stages = [7 * len(net.costs(row)) for row in rows.tolist()]
    assert table.total("reads", rows).tolist() == again.total("reads", rows).tolist() == stages


@pytest.mark.parametrize(
    "index", ["", "!!", "eJw=", 3, base64.b64encode(zlib.compress(b"\xff" * 32)).decode()]
)
def test_a_damaged_index_is_refused(index: object) -> None:
    data = json.loads(json.dumps(CostTable.of(small_cnn()).to_json()))
    data["stages"][1]["index"] = index
    with pytest.raises(InvalidInput):
        CostTable.from_json(data)
