"""Lottery tickets: exact sparsities, nested masks, survivors where rewinding put them, the removed at zero."""

from __future__ import annotations

import copy
import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.networks.chain import fresh_like
from core.networks.masks import density
from core.pruning.criteria.base import prunable_weights
from core.pruning.pruners.base import Pruned, PruningTask, sparsity_of
from core.pruning.pruners.creating import METHODS
from core.pruning.retraining import train_masked
from core.pruning.tickets import Ticket, find_tickets, levels, smallest_go
from core.records import Progress
from tests.helpers.plain_nets import extracted
from tests.training.small import digits, settings


@given(st.lists(st.floats(0, 0.99), min_size=1, max_size=4, unique=True).map(sorted), st.floats(0.05, 0.9))
def test_no_level_removes_more_than_its_share_and_every_asked_one_is_a_level(
    sparsities: list[float], share: float
) -> None:
    path = levels(sparsities, share)
    assert {s for s in sparsities if s > 0} <= set(path)
    left = [1.0, *(1 - s for s in path)]
    for before, after in itertools.pairwise(left):
        assert after >= before * (1 - share) * (1 - 1e-7)
        assert after <= before


def test_one_level_takes_one_share_and_wrong_ones_are_refused() -> None:
    assert levels([0.2], 0.2) == [0.2]
    assert levels([0.0], 0.2) == []
    assert levels([0.36, 0.488], 0.2) == pytest.approx([0.2, 0.36, 0.488])
    for wrong in ([0.5, 0.2], [1.0]):
        with pytest.raises(InvalidInput, match="ascend"):
            levels(wrong, 0.2)
    with pytest.raises(InvalidInput, match="level"):
        levels([0.5], 1.0)


def test_masks_are_nested_and_rewound_weights_are_those_of_the_rewinding_point() -> None:
    dataset, config = digits(64), settings(epochs=3)
    net = fresh_like(extracted(), 1)
    early = copy.deepcopy(net)
    states: dict[int, dict[str, torch.Tensor]] = {1: {}}
    list(train_masked(early, dataset, config, {}, keep=states))
    early.load_state_dict(states[1])
    found = [s for s in find_tickets(net, dataset, config, [0.3, 0.5, 0.8], 1) if isinstance(s, Ticket)]
    assert [t.sparsity for t in found] == [0.0, 0.3, 0.5, 0.8]
    early_weights = dict(early.named_parameters())
    for before, ticket in itertools.pairwise(found):
        assert density(ticket.masks) == pytest.approx(1 - ticket.sparsity, abs=1e-4)
        assert set(ticket.masks) == set(prunable_weights(net))
        weights = dict(ticket.net.named_parameters())
        for name, mask in ticket.masks.items():
            assert not (mask & ~before.masks[name]).any()
            assert torch.equal(ticket.start[name], early_weights[name])
            assert not weights[name][~mask].any()
            assert (weights[name][mask] != ticket.start[name][mask]).float().mean() > 0.9
        # The same by hand: cut by the magnitudes of the level before, set back, trained with the masks held.
        by_hand = smallest_go(before.net, ticket.sparsity, before.masks)
        assert all(torch.equal(mask, ticket.masks[name]) for name, mask in by_hand.items())
        again = copy.deepcopy(early)
        list(train_masked(again, dataset, config, by_hand, first_epoch=1))
        assert all(torch.equal(p, weights[name]) for name, p in again.named_parameters())


def test_what_is_gone_stays_gone_even_where_weights_that_are_left_are_zero() -> None:
    net = fresh_like(extracted(), 1)
    names = prunable_weights(net)
    first = smallest_go(
        net, 0.5, {n: torch.ones_like(p, dtype=torch.bool) for n, p in net.named_parameters() if n in names}
    )
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if name in names:
                # Removed weights that a bug has revived are the largest; half of those left are exactly zero.
                left = first[name] & (torch.arange(parameter.numel()).view_as(parameter) % 2 == 0)
                parameter[left] = 0.0
                parameter[~first[name]] = 9.0
    second = smallest_go(net, 0.7, first)
    assert density(second) == pytest.approx(0.3, abs=1e-4)
    for name, mask in second.items():
        assert not (mask & ~first[name]).any()


def test_training_in_two_parts_starts_where_the_first_ended() -> None:
    dataset, config = digits(64), settings(epochs=2)
    nets = [fresh_like(extracted(), 1) for _ in range(2)]
    states: dict[int, dict[str, torch.Tensor]] = {1: {}}
    list(train_masked(nets[0], dataset, config, {}, keep=states))
    assert set(states) == {1}
    nets[1].load_state_dict(states[1])
    shares = list(train_masked(nets[1], dataset, config, {}, first_epoch=1))
    assert shares[-1] == 1.0
    # Momentum alone starts anew.
    distance = [(a - b).abs().max() for a, b in zip(nets[0].parameters(), nets[1].parameters(), strict=True)]
    moved = [(a - states[1][n]).abs().max() for n, a in nets[0].named_parameters()]
    assert sum(distance) < sum(moved)


@pytest.mark.parametrize("rewind", [0, 1])
def test_the_pruner_hits_every_asked_sparsity_and_leaves_the_parent(rewind: int) -> None:
    parent = extracted()
    before = copy.deepcopy(parent.state_dict())
    task = PruningTask(parent, digits(64), settings(), seed=4)
    pruner = METHODS.create("lottery_ticket", {"epochs": 2, "rewind_epochs": rewind, "share": 0.4})
    steps = list(pruner.prune(task, [0.0, 0.5, 0.75]))
    pruned = [s for s in steps if isinstance(s, Pruned)]
    shares = [s.fraction for s in steps if isinstance(s, Progress)]
    assert [p.asked for p in pruned] == [0.0, 0.5, 0.75]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    for one in pruned:
        assert one.trained
        assert sparsity_of(one, parent) == pytest.approx(one.asked, abs=1e-3)
        assert not one.net.training
    assert all(torch.equal(value, before[name]) for name, value in parent.state_dict().items())


def test_equal_seeds_find_the_same_ticket_and_rewinding_past_the_end_is_refused() -> None:
    def ticket(seed: int) -> Pruned:
        task = PruningTask(extracted(), digits(64), settings(), seed)
        steps = METHODS.create("lottery_ticket", {"epochs": 2, "share": 0.5}).prune(task, [0.5])
        return next(s for s in steps if isinstance(s, Pruned))

    same = [ticket(1), ticket(1), ticket(2)]
    for name, mask in same[0].masks.items():
        assert torch.equal(mask, same[1].masks[name])
    assert any(not torch.equal(mask, same[2].masks[name]) for name, mask in same[0].masks.items())
    with pytest.raises(InvalidInput, match="rewound"):
        list(find_tickets(fresh_like(extracted(), 1), digits(64), settings(epochs=1), [0.5], 1))
