"""Memory for activations: counted from stages, checked against what torch does in the extracted network."""

from __future__ import annotations

import io
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from core.evaluation.costs import CostTable
from core.library import supernets
from core.library.tables import dump_table, parse_table
from core.objectives.activation_bytes import ActivationBytes
from core.supernets import FAMILIES
from core.supernets.base import Supernet
from tests.helpers.alive import held, held_by_block
from tests.helpers.nets import disturb, small_cnn

CASES = [(name, at) for name in FAMILIES.names() for at in range(len(FAMILIES.get(name).examples()))]


def supernet(name: str, at: int) -> Supernet:
    family = FAMILIES.get(name)
    torch.manual_seed(0)
    return disturb(family(family.examples()[at]))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "at"), CASES, ids=str)
def test_is_what_torch_holds_in_the_extracted_network(name: str, at: int) -> None:
    """Every stage of some subnets of every family, to the byte; a batch takes as many times as much."""
    net = supernet(name, at)
    generator = torch.Generator().manual_seed(1)
    table, whole = CostTable.of(net), net.task.whole
    rows = net.space.sample_array(10, np.random.default_rng(1))
    found = table.counted(ActivationBytes(), rows)
    samples = net.config.nodes if whole else 1
    x = net.task.random_inputs(net.config, samples, generator)
    if whole:  # as many edges as its costs are counted for
        x = (x[0], torch.randint(0, samples, (2, net.config.edges), generator=generator))
    for row, value in zip(rows.tolist(), found.tolist(), strict=True):
        statistics = net.calibrate(row, net.task.random_inputs(net.config, max(8, samples), generator))
        subnet = net.extract(row, statistics)
        assert held(subnet, x) == [cost.counted["held_bytes"] for cost in net.costs(row)], row
        assert max(held(subnet, x)) == value
    assert len(set(found.tolist())) > 1
    if not whole:
        several = net.task.random_inputs(net.config, 3, generator)
        most = max(held(subnet, several))
        # Offsets of attention by distance are the same for every sample of a batch.
        assert most == 3 * value or (name == "elastic_conv_vit" and 2 * value < most <= 3 * value)


def test_the_recording_knows_what_is_held_and_what_is_overwritten() -> None:
    """By hand, for x of 8 numbers: what a residual block of two layers holds."""

    class Residual(nn.Module):
        def __init__(self, kept: bool) -> None:
            super().__init__()
            self.first, self.second, self.kept = nn.Linear(8, 20), nn.Linear(20, 8), kept

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.second(torch.relu(self.first(x)))
            return y + x if self.kept else y

    x = torch.rand(1, 8)
    # x, the 20 hidden numbers (ReLU overwrites them) and the 8 that are added to.
    assert held_by_block(Residual(kept=True), x)[0] == 4 * (8 + 20 + 8)
    # Into a chain: the second block's input is the first one's output, and no longer the first one's input.
    assert held(nn.Sequential(nn.Linear(8, 4), nn.Linear(4, 30)), x) == [4 * 12, 4 * 34]
    # A sum of what is still read needs memory of its own.
    assert held_by_block(nn.ReLU(), x)[0] == 4 * 16


class OfStages:
    """Costs of one architecture whose stages hold so much, None where a stage is absent."""

    def __init__(self, *held: int | None) -> None:
        self.held = held

    def __len__(self) -> int:
        return 1

    def stages(self) -> Iterator[SimpleNamespace]:
        for most in self.held:
            yield SimpleNamespace(counted=lambda quantity, most=most: np.array([most or 0]))


@pytest.mark.parametrize(("stages", "most"), [((3, 8, 5), 8), ((8, None, 9), 9), ((None, 4), 4)])
def test_the_stage_that_holds_most_decides(stages: tuple[int | None, ...], most: int) -> None:
    assert ActivationBytes().counted(OfStages(*stages)).tolist() == [most]


@pytest.mark.parametrize("entry", supernets.entries(), ids=lambda entry: entry.supernet_id)
def test_shipped_supernets_have_it_without_loading_anything(entry: supernets.SupernetEntry) -> None:
    table = supernets.table_with_counts(entry)
    assert table is not None
    assert table["activation_bytes"].min() > 0
    rows = entry.space.from_ids(table["arch_id"].tolist()[::97])
    built = supernets._built_costs(entry)
    assert table["activation_bytes"].tolist()[::97] == built.counted(ActivationBytes(), rows).tolist()


def test_tables_of_earlier_releases_held_another_number_under_its_name() -> None:
    """The largest input and output of a stage: read as peak memory it would be too small."""
    net = small_cnn()
    rows = net.space.array()[:5]
    written = dump_table(net.space, rows, {"activation_bytes": np.arange(1, 6), "macs": np.arange(5)})
    assert parse_table(written, net.space)["activation_bytes"].tolist() == [1, 2, 3, 4, 5]
    buffer = io.BytesIO()
    old = pd.read_parquet(io.BytesIO(written)).rename(columns={"peak_activation_bytes": "activation_bytes"})
    old.to_parquet(buffer)
    read = parse_table(buffer.getvalue(), net.space)
    assert "activation_bytes" not in read
    assert "macs" in read
