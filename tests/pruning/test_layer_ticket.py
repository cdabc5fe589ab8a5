"""Whole blocks go, chosen at the start; the others begin with exactly the weights they would have had."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from core.errors import InvalidInput
from core.library.networks import load_model
from core.networks.blocks.pooling_head import PoolingHead
from core.networks.blocks.residual_block import ResidualBlock
from core.networks.blocks.stem import Stem
from core.networks.chain import fresh_like
from core.pruning.pruners import Pruned, PruningTask
from core.pruning.pruners.base import sparsity_of, weight_count
from core.pruning.pruners.creating import METHODS
from core.pruning.pruners.layer_ticket import block_scores, fewest_blocks, removable_blocks, without_blocks
from core.training.config import TrainingConfig
from core.words import format_share
from tests.helpers.nets import random_dataset

DATA = random_dataset(48)
TRAINING = TrainingConfig(batch_size=16)


def deep() -> nn.Sequential:
    torch.manual_seed(0)
    net = nn.Sequential(
        Stem(1, 4, 3, 1),
        ResidualBlock(4, 4, 3, 1),
        ResidualBlock(4, 8, 3, 2),
        ResidualBlock(8, 8, 3, 1),
        ResidualBlock(8, 8, 3, 1),
        PoolingHead(8, 10),
    )
    return net.eval().requires_grad_(False)


def test_only_blocks_with_an_identity_shortcut_can_go() -> None:
    assert removable_blocks(deep()) == [1, 3, 4]
    largest = load_model(None, "subnet:digits-cnn:311131113111").net
    assert removable_blocks(largest) == [1, 2, 4, 6]


def test_the_other_blocks_keep_every_bit() -> None:
    dense = fresh_like(deep(), 5)
    net = without_blocks(dense, [1, 4])
    assert len(net) == 4
    for old, new in zip((0, 2, 3, 5), range(4), strict=True):
        assert all(torch.equal(t, net[new].state_dict()[n]) for n, t in dense[old].state_dict().items())


def test_a_block_that_adds_nothing_can_go_without_a_difference() -> None:
    net = deep()
    images = torch.from_numpy(DATA.test.x)
    with torch.no_grad():
        assert not torch.allclose(net(images), without_blocks(net, [3])(images))
        net[3].norm2.weight.zero_()
        net[3].norm2.bias.zero_()
        assert torch.equal(net(images), without_blocks(net, [3])(images))


def test_the_fewest_blocks_that_reach_the_sparsity() -> None:
    net = deep()
    share = {b: weight_count(net[b]) / weight_count(net) for b in (1, 3, 4)}
    assert fewest_blocks(net, [3, 1, 4], 0.0) == ([], "")
    assert fewest_blocks(net, [3, 1, 4], share[3]) == ([3], "")
    gone, note = fewest_blocks(net, [3, 1, 4], share[3] + share[1] / 2)
    assert gone == [3, 1]
    assert "Blocks go whole" in note
    gone, note = fewest_blocks(net, [3, 1, 4], 0.99)
    assert gone == [3, 1, 4]
    assert format_share(sum(share.values()), 1) in note


@pytest.mark.parametrize("criterion", ["grasp", "snip"])
def test_the_lowest_blocks_go_and_the_rest_is_trained(criterion: str) -> None:
    parent = deep()
    task = PruningTask(parent, DATA, TRAINING, 2)
    pruner = METHODS.create("layer_ticket", {"epochs": 1, "criterion": criterion})
    found = [step for step in pruner.prune(task, [0.0, 0.3]) if isinstance(step, Pruned)]
    scores = block_scores(fresh_like(parent, 2), [1, 3, 4], criterion, task)
    assert len(set(scores.values())) == 3
    order = sorted(scores, key=lambda block: scores[block])
    gone, _ = fewest_blocks(parent, order, 0.3)
    assert [len(step.net) for step in found] == [6, 6 - len(gone)]
    expected = sum(weight_count(parent[b]) for b in gone) / weight_count(parent)
    assert sparsity_of(found[1], parent) == pytest.approx(expected)
    assert all(step.trained for step in found)


def test_without_such_a_block_it_says_so() -> None:
    net = nn.Sequential(Stem(1, 4, 3, 1), ResidualBlock(4, 8, 3, 2), PoolingHead(8, 10))
    task = PruningTask(net.eval().requires_grad_(False), DATA, TRAINING)
    with pytest.raises(InvalidInput, match="no block that can be taken out"):
        list(METHODS.create("layer_ticket").prune(task, [0.5]))
