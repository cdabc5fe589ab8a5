"""Units in an order of importance: what moves, what stays, and by which scores."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.errors import InvalidInput, NotFound
from core.networks.criteria import CRITERIA
from core.supernets import FAMILIES
from core.supernets.base import Supernet
from core.supernets.ordering import RANDOM, importance, order_units, permute_units
from core.tasks.base import Batch
from tests.helpers.nets import disturb, random_dataset, small_cnn
from tests.helpers.texts import text_dataset


def encoder(seed: int = 0) -> Supernet:
    torch.manual_seed(seed)
    family = FAMILIES.get("elastic_encoder")
    return disturb(family(family.examples()[0]), seed)


@pytest.mark.parametrize("criterion", ["l2_filters", "magnitude", "taylor", "snip", "fisher", RANDOM])
def test_the_largest_stays_and_scores_fall_from_the_first_unit_on(criterion: str) -> None:
    net, data = encoder(), text_dataset()
    inputs = net.task.batch(data, data.validation).inputs
    with torch.no_grad():
        before = net(inputs, net.largest)
        done = order_units(net, criterion, data, seed=3)
        torch.testing.assert_close(net(inputs, net.largest), before, atol=1e-5, rtol=1e-5)
    assert set(done.scores) == {each.label for each in net.orderable()}
    assert any((np.diff(order) < 0).any() for order in done.permutations.values())
    for label, scores in done.scores.items():
        assert (np.diff(scores[done.permutations[label]]) <= 0).all(), label
    if criterion == RANDOM:  # places get their chances anew, whatever unit stands there
        return
    again = importance(net, net.orderable(), criterion, data, seed=3)
    for label, scores in again.items():
        np.testing.assert_allclose(scores, np.sort(done.scores[label])[::-1], rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("criterion", CRITERIA.names())
@pytest.mark.parametrize("family", ["elastic_encoder", "elastic_vit", "elastic_bert", "elastic_decoder"])
def test_every_criterion_orders_every_transformer_or_says_why_not(family: str, criterion: str) -> None:
    torch.manual_seed(0)
    made = FAMILIES.get(family)
    net = made(made.examples()[0])
    task, data = net.task, text_dataset()
    inputs = task.random_inputs(net.config, 24, torch.Generator().manual_seed(0))
    with torch.no_grad():
        before = net(inputs, net.largest)
    shape = before.shape[:-1]
    targets = torch.randint(before.shape[-1], shape, generator=torch.Generator().manual_seed(1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(task, "batch", lambda *_: Batch(inputs, targets, torch.arange(24)))
        if criterion in ("bn_scale", "synflow"):
            with pytest.raises(InvalidInput, match=r"have no BatchNorm|which attention"):
                order_units(net, criterion, data)
        else:
            order_units(net, criterion, data)
    with torch.no_grad():
        torch.testing.assert_close(net(inputs, net.largest), before, atol=1e-5, rtol=1e-5)


def test_hidden_units_go_by_their_incoming_norms() -> None:
    net = encoder()
    block = net.chain[1]
    with torch.no_grad():
        norms = block.expand.weight.norm(dim=1)
        order_units(net, "l2_filters", None)
        found = block.expand.weight.norm(dim=1)
    torch.testing.assert_close(found, norms.sort(descending=True).values)


def test_a_unit_that_does_nothing_goes_last_and_costs_the_smaller_nothing() -> None:
    """Hidden units 0 and 1 are dead: ordered by a gradient criterion, they are the last of the block."""
    net, data = encoder(), text_dataset()
    block = net.chain[1]
    with torch.no_grad():
        block.expand.weight[:2] = 0
        block.expand.bias[:2] = 0
        block.contract.weight[:, :2] = 0
    done = order_units(net, "taylor", data)
    assert set(done.permutations["block 1: hidden"][-2:].tolist()) == {0, 1}
    assert not block.contract.weight[:, -2:].any()


def test_heads_move_whole() -> None:
    net = encoder()
    block, size = net.chain[1], net.config.head_size
    before = block.query.weight.detach().clone()
    permute_units(net, {"block 1: heads": np.array([2, 0, 1])})
    rows = [r for head in (2, 0, 1) for r in range(head * size, (head + 1) * size)]
    assert torch.equal(block.query.weight.detach(), before[rows])


def test_chance_is_a_function_of_the_seed() -> None:
    first, again, other = (order_units(encoder(), RANDOM, None, seed).permutations for seed in (1, 1, 2))
    assert all(np.array_equal(first[label], again[label]) for label in first)
    assert any(not np.array_equal(first[label], other[label]) for label in first)


def test_what_cannot_be_ordered_is_refused_in_a_sentence() -> None:
    with pytest.raises(InvalidInput, match="cannot change places"):
        order_units(small_cnn(), "l2_filters", random_dataset())
    with pytest.raises(NotFound, match="no criterion"):
        order_units(encoder(), "no_such", None)
    with pytest.raises(InvalidInput, match="needs training samples"):
        order_units(encoder(), "taylor", None)
    with pytest.raises(InvalidInput, match="BatchNorm"):
        order_units(encoder(), "bn_scale", None)
    with pytest.raises(InvalidInput, match="no units"):
        permute_units(encoder(), {"nothing": np.arange(3)})
    with pytest.raises(InvalidInput, match="does not fit"):
        permute_units(encoder(), {"block 1: heads": np.array([0, 0, 1])})


def test_nothing_changes_where_an_order_is_refused() -> None:
    net = encoder()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    with pytest.raises(InvalidInput):
        permute_units(net, {"block 1: heads": np.array([2, 1, 0]), "block 1: hidden": np.arange(3)})
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
