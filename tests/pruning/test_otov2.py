"""Units are driven to exact zero, only those marked, and never come back; then small and large agree."""

from __future__ import annotations

import copy
import itertools

import numpy as np
import pytest
import torch
from torch import nn

from core.networks.cut import compact, masked, removable_groups, unit_masks
from core.pruning import dhspg
from core.pruning.dhspg import DHSPG, Pull, UnitIndex, project, redundancy
from core.pruning.pruners import Pruned, PruningTask
from core.pruning.pruners.base import sparsity_of
from core.pruning.pruners.creating import METHODS
from core.training.config import TrainingConfig
from tests.helpers.families import IMAGE_FAMILIES
from tests.helpers.nets import random_dataset
from tests.helpers.plain_nets import extracted

DATA = random_dataset(192, seed=4)
TRAINING = TrainingConfig(batch_size=16, learning_rate=0.05)


def pruned(sparsity: float, family: str = "elastic_cnn", **config: object) -> Pruned:
    task = PruningTask(extracted(family), DATA, TRAINING, 3)
    found = [
        step
        for step in METHODS.create("otov2", {"epochs": 8, **config}).prune(task, [sparsity])
        if isinstance(step, Pruned)
    ]
    return found[0]


def outputs(net: nn.Sequential) -> torch.Tensor:
    with torch.no_grad():
        result: torch.Tensor = net.eval()(torch.from_numpy(DATA.test.x))
    return result


def units(index: UnitIndex, net: nn.Sequential) -> torch.Tensor:
    return index.sums(index.values().abs())


@pytest.mark.slow
@pytest.mark.parametrize("sparsity", [0.3, 0.6])
def test_enough_units_are_exactly_zero_and_the_small_network_is_the_large_one(sparsity: float) -> None:
    found = pruned(sparsity)
    assert found.note == ""
    assert sparsity_of(found, extracted()) >= sparsity
    total = units(UnitIndex(found.net, removable_groups(found.net)), found.net)
    expected = sum(g.size - len(found.kept[g.name]) for g in removable_groups(found.net))
    assert int((total == 0).sum()) == expected > 0
    assert torch.allclose(outputs(found.net), outputs(found.compact()), atol=1e-5)


@pytest.mark.slow
def test_a_threshold_at_the_end_is_no_substitute() -> None:
    found = pruned(0.0)
    groups = removable_groups(found.net)
    index = UnitIndex(found.net, groups)
    sizes = index.by_group(index.sums(index.values().square()))
    kept = {g.name: np.sort(sizes[g.name].argsort().numpy()[g.size // 2 :]) for g in groups}
    assert not torch.allclose(outputs(found.net), outputs(compact(found.net, kept)), atol=1e-3)


@pytest.mark.slow
def test_what_has_not_reached_zero_is_kept_and_said() -> None:
    found = pruned(0.6, lmbda=1e-9, eps=0.0)
    assert "did not reach zero" in found.note
    assert sparsity_of(found, extracted()) < 0.6
    assert torch.allclose(outputs(found.net), outputs(found.compact()), atol=1e-5)


@pytest.mark.parametrize("family", IMAGE_FAMILIES)
def test_every_entry_of_a_unit_is_indexed_once(family: str) -> None:
    net = extracted(family)
    groups = removable_groups(net)
    index = UnitIndex(net, groups)
    for group in groups:
        unit = index.spans[group.name].start + group.size - 1
        changed = copy.deepcopy(net)
        own = UnitIndex(changed, groups)
        own.write(own.values().masked_fill(own.owner == unit, 0.0))
        other = masked(net, {group.name: np.arange(group.size - 1)})
        assert all(torch.equal(t, other.state_dict()[n]) for n, t in changed.state_dict().items())


def test_units_that_are_not_marked_are_not_touched() -> None:
    net = extracted()
    index = UnitIndex(net, removable_groups(net))
    generator = torch.Generator().manual_seed(0)
    old = index.values()
    new = old + 0.01 * torch.randn(old.shape, generator=generator)
    marked = torch.arange(index.count) % 3 == 0
    floor = torch.full((index.count,), 0.02, dtype=torch.float64)
    made, zero = project(index, old, new, marked, floor, Pull())
    theirs = torch.cat([marked, marked.new_zeros(1)])[index.owner]
    assert torch.equal(made[~theirs], new[~theirs])
    assert not torch.equal(made[theirs], new[theirs])
    assert not zero[~marked].any()


def test_a_unit_that_crosses_zero_by_itself_is_left_alone() -> None:
    net = extracted()
    index = UnitIndex(net, removable_groups(net))
    old = index.values()
    floor = torch.full((index.count,), 0.02, dtype=torch.float64)
    made, zero = project(index, old, -old, torch.zeros(index.count, dtype=torch.bool), floor, Pull())
    assert torch.equal(made, -old)
    assert not zero.any()


def test_a_pull_shortens_every_marked_unit_and_a_long_one_ends_at_zero() -> None:
    net = extracted()
    index = UnitIndex(net, removable_groups(net))
    old = index.values()
    marked = torch.ones(index.count, dtype=torch.bool)
    length = index.sums(old.square()).sqrt()
    made, zero = project(index, old, old, marked, 0.1 * length, Pull())
    assert torch.allclose(index.sums(made.square()).sqrt(), 0.9 * length, rtol=1e-5)
    assert not zero.any()
    made, zero = project(index, old, old, marked, 1.1 * length, Pull())
    assert zero.all()
    assert index.sums(made.abs()).max() == 0


def test_where_the_loss_pushes_outwards_the_pull_is_stronger_than_the_push() -> None:
    net = extracted()
    index = UnitIndex(net, removable_groups(net))
    generator = torch.Generator().manual_seed(0)
    old = index.values()
    sideways = 0.02 * torch.randn(old.shape, generator=generator)
    new = old * 1.01 + sideways
    floor = torch.full((index.count,), 1e-4, dtype=torch.float64)
    pull = Pull(coef=1e6)
    made, _ = project(index, old, new, torch.ones(index.count, dtype=torch.bool), floor, pull)
    along_before, along_after = index.sums(old * old), index.sums(made * old)
    outwards = index.sums(old * (new - old)) > 0
    assert outwards.any()
    assert (along_after < along_before)[outwards].all()


def test_redundant_is_what_is_small_and_what_descent_shortens() -> None:
    net = extracted()
    index = UnitIndex(net, removable_groups(net))
    values = torch.ones_like(index.values())
    values[index.owner == 2] = 0.1
    along = values * torch.where(index.owner == 5, 1.0, -1.0)
    found = redundancy(index, values, along)
    assert set(found.argsort(descending=True)[:2].tolist()) == {2, 5}
    assert (found >= 0).all()
    assert (found <= 1).all()


@pytest.mark.slow
def test_no_step_revives_a_unit_and_only_marked_ones_go(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[DHSPG] = []
    history: list[torch.Tensor] = []
    step = DHSPG.after_step

    def watched(self: DHSPG) -> None:
        step(self)
        if not seen:
            seen.append(self)
        history.append(self.index.sums(self.index.values().abs()) == 0)

    monkeypatch.setattr(dhspg.DHSPG, "after_step", watched)
    pruned(0.6)
    assert not history[0].any()
    assert all((later | ~earlier).all() for earlier, later in itertools.pairwise(history))
    assert not (history[-1] & ~seen[0].marked).any()
    assert torch.equal(history[-1], seen[0].zero)
    assert not seen[0].pulling


@pytest.mark.slow
def test_transformers_with_adamw() -> None:
    training = TrainingConfig(batch_size=16, optimizer="adamw", learning_rate=0.003)
    parent = extracted("elastic_vit")
    task = PruningTask(parent, DATA, training, 0)
    [found] = [s for s in METHODS.create("otov2", {"epochs": 8}).prune(task, [0.2]) if isinstance(s, Pruned)]
    assert sparsity_of(found, parent) >= 0.2
    assert torch.allclose(outputs(found.net), outputs(found.compact()), atol=1e-5)
    for name, mask in unit_masks(found.net, found.kept).items():
        assert not dict(found.net.named_parameters())[name][~mask].any()


@pytest.mark.slow
def test_more_marked_than_needed_stops_where_enough_have_gone() -> None:
    found = pruned(0.3, tolerance=0.2)
    assert 0.3 <= sparsity_of(found, extracted()) <= 0.6
    assert torch.allclose(outputs(found.net), outputs(found.compact()), atol=1e-5)
