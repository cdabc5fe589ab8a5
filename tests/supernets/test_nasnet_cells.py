"""What the card of NASNet promises: how many cells there are, what a cell's output is, and how paths are dropped."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from core.seeding import stream
from core.spaces.nasnet_space import distinct_cells, nasnet_space, unused_states
from core.store import MemoryLedger
from core.supernets.drop_path import DroppingArch, thinned
from core.supernets.nasnet_cells import NasnetCells
from core.training.loop import SupernetRun
from tests.helpers.nets import disturb
from tests.training.small import digits, settings


@pytest.fixture(scope="module")
def net() -> NasnetCells:
    torch.manual_seed(0)
    config = NasnetCells.example((1, 8, 8)).model_copy(update={"drop_path": 0.5})
    return disturb(NasnetCells(config)).requires_grad_(False)  # type: ignore[return-value]


@pytest.mark.parametrize(("blocks", "operations"), [(1, 2), (1, 5), (2, 2), (2, 3)])
def test_the_number_of_distinct_cells(blocks: int, operations: int) -> None:
    """All cells listed, and counted once whichever side of a block comes first."""
    sides = [list(itertools.product(range(block + 1), range(operations))) for block in range(1, blocks + 1)]
    every = itertools.product(*(itertools.product(side, side) for side in sides))
    assert len({tuple(tuple(sorted(pair)) for pair in cell) for cell in every}) == distinct_cells(
        blocks, operations
    )
    names = tuple("abcde"[:operations])
    assert nasnet_space(blocks, names).size == math.prod(len(side) ** 2 for side in sides) ** 2


def test_a_cells_output_is_exactly_the_states_that_nobody_reads(net) -> None:
    assert unused_states([0, 0, 2, 2]) == (1, 3)
    assert unused_states([0, 1, 0, 1]) == (2, 3)
    rng = np.random.default_rng(0)
    x = torch.rand(2, 1, 8, 8)
    for _ in range(20):
        arch = net.space.sample(rng)
        outputs = net.chain[0](x, arch)
        for cell in net.chain[1:-1]:
            before = outputs
            outputs = cell(outputs, arch)
            picks = {state for state, _ in cell.picks(arch, cell.kind)}
            assert outputs[0].shape[1] == cell.channels * (2 + net.config.blocks - len(picks))
            assert outputs[1] is before[0], "the pair moves on by one"


def test_swapping_the_sides_of_a_block_changes_nothing_if_their_weights_are_swapped(net) -> None:
    arch = net.space.from_dict(
        {
            name: choice.options[(3, 1)[choice.kind == "input"] % len(choice.options)]
            for name, choice in zip(net.space.names, net.space.choices, strict=True)
        }
    )
    x = torch.rand(4, 1, 8, 8)
    twin = NasnetCells(net.config)
    twin.load_state_dict(net.state_dict())
    for cell in twin.chain[1:-1]:
        cell.banks[0], cell.banks[1] = cell.banks[1], cell.banks[0]
    position = twin.space.position
    swapped = list(arch)
    for kind in ("normal", "reduction"):
        for what in ("input", "operation"):
            one, two = position[f"{kind}1_{what}1"], position[f"{kind}1_{what}2"]
            swapped[one], swapped[two] = arch[two], arch[one]
    torch.testing.assert_close(net(x, arch), twin(x, swapped))


def test_dropped_paths_keep_their_expectation() -> None:
    x = torch.rand(40_000, 2, 1, 1) + 1
    arch = DroppingArch.of((0, 1), 0.3, torch.Generator().manual_seed(0))
    y = thinned(x, arch)
    dropped = (y == 0).flatten(1)
    assert (dropped.all(1) | ~dropped.any(1)).all(), "a sample's path goes as a whole"
    assert float(dropped[:, 0].float().mean()) == pytest.approx(0.3, abs=0.01)
    assert float(y.mean()) == pytest.approx(float(x.mean()), rel=0.02)
    kept = ~dropped[:, 0]
    torch.testing.assert_close(y[kept], x[kept] / 0.7)
    with pytest.raises(ValueError, match="less than 1"):
        DroppingArch.of((0,), 1.0, torch.Generator())


def test_nothing_is_dropped_outside_training(net) -> None:
    arch, x = net.space.largest, torch.rand(8, 1, 8, 8)
    assert torch.equal(net(x, arch), net(x, arch))
    assert thinned(x, arch) is x
    assert net.in_training(arch, 0.0, stream(0, "a")) is arch
    dropping = net.in_training(arch, 1.0, stream(0, "a"))
    assert tuple(dropping) == arch
    assert not torch.equal(net(x, dropping), net(x, arch))


@pytest.mark.slow
def test_the_share_of_dropped_paths_grows_with_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """p(t) = p_final * t / T, whatever the strategy."""
    config = NasnetCells.example((1, 8, 8)).model_copy(update={"drop_path": 0.4})
    met: list[float] = []
    run = NasnetCells.in_training

    def noted(self, arch, progress, rng):  # type: ignore[no-untyped-def]
        found = run(self, arch, progress, rng)
        met.append(getattr(found, "drop", 0.0))
        return found

    monkeypatch.setattr(NasnetCells, "in_training", noted)
    dataset = digits()
    training = SupernetRun(
        NasnetCells(config), dataset, settings(strategy="uniform", epochs=3), MemoryLedger()
    )
    batch = training.supernet.task.batch(dataset, dataset.calibration)
    for training.epoch in range(3):
        training.begin_epoch()
        for step in (0, training.steps - 1):
            training.take_step(step, batch, 0.01)
    total = 3 * training.steps
    expected = [0.4 * t / total for e in range(3) for t in (e * training.steps, (e + 1) * training.steps - 1)]
    assert met == pytest.approx(expected)
