"""Supermasks: weights never change, densities are exact, and unused scores still learn."""

from __future__ import annotations

import hashlib

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.errors import InvalidInput
from core.networks.answers import accuracy
from core.networks.chain import fresh_like
from core.networks.masks import applied
from core.pruning.criteria.base import prunable_weights
from core.pruning.pruners.base import Pruned, PruningTask
from core.pruning.pruners.creating import METHODS
from core.pruning.supermasks import Supermask, random_weights, straight_through, top_k
from core.training.plain import PlainStep, fit
from tests.helpers.families import IMAGE_FAMILIES
from tests.helpers.nets import random_dataset
from tests.helpers.plain_nets import extracted
from tests.training.small import digits, settings


def weights_hash(net: nn.Module) -> str:
    total = hashlib.sha256()
    for name, parameter in net.named_parameters():
        total.update(name.encode() + parameter.detach().numpy().tobytes())
    return total.hexdigest()


def drawn(family: str = "elastic_cnn", density: float = 0.3) -> Supermask:
    net = fresh_like(extracted(family), 1)
    random_weights(net, "signed_constant", density, 2)
    return Supermask(net, density, 3)


def test_top_k_is_exact_and_the_choice_lets_the_gradient_through() -> None:
    scores = torch.tensor([0.1, -3.0, 0.5, 0.0], requires_grad=True)
    mask = straight_through(scores, 0.5)
    assert mask.tolist() == [0, 1, 1, 0]
    (mask * torch.tensor([1.0, 2.0, 3.0, 4.0])).sum().backward()
    assert scores.grad is not None
    assert scores.grad.tolist() == [1, -2, 3, 0]  # the slope of |s| at 0 is 0
    assert int(top_k(torch.zeros(10), 0.34).sum()) == 3
    assert int(top_k(torch.zeros(10), 0.001).sum()) == 1


@pytest.mark.parametrize("family", IMAGE_FAMILIES)
def test_training_changes_scores_only_and_all_of_them(family: str) -> None:
    supermask = drawn(family)
    before, scores = weights_hash(supermask.net), [s.detach().clone() for s in supermask.scores]
    config = settings(epochs=1, learning_rate=1.0)
    data = random_dataset()
    list(fit(PlainStep(supermask, data, config), data, config, order_seed=0))
    assert weights_hash(supermask.net) == before
    assert all((new != old).any() for new, old in zip(supermask.scores, scores, strict=True))
    assert all(p.grad is None for p in supermask.net.parameters())


def test_scores_outside_the_mask_get_gradient() -> None:
    supermask = drawn()
    images = torch.from_numpy(random_dataset().train.x)
    loss = F.cross_entropy(supermask.train()(images), torch.from_numpy(random_dataset().train.y))
    loss.backward()  # type: ignore[no-untyped-call]
    for score, mask in zip(supermask.scores, supermask.masks().values(), strict=True):
        assert score.grad is not None
        assert score.grad[~mask].any()


@pytest.mark.parametrize("density", [0.07, 0.5, 1.0])
def test_each_layer_has_exactly_its_share_and_masked_weights_give_the_same_answers(density: float) -> None:
    supermask = drawn(density=density).eval()
    masks = supermask.masks()
    assert list(masks) == prunable_weights(supermask.net)
    for mask in masks.values():
        assert int(mask.sum()) == max(1, round(density * mask.numel()))
    images = torch.from_numpy(random_dataset().train.x)
    with torch.no_grad():
        assert torch.equal(supermask(images), applied(supermask.net, masks)(images))


@pytest.mark.parametrize("family", IMAGE_FAMILIES)
def test_random_weights_have_kaiming_size_and_nothing_else_is_learned(family: str) -> None:
    net = fresh_like(extracted(family), 1)
    random_weights(net, "signed_constant", 0.5, 2)
    norms = (nn.BatchNorm2d, nn.LayerNorm)
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            size: Tensor = module.weight.abs()
            assert torch.allclose(size, torch.tensor((4 / module.weight[0].numel()) ** 0.5))
            assert module.bias is None or not module.bias.any()
        elif isinstance(module, norms):
            assert (module.weight == 1).all()
            assert not module.bias.any()
    assert not any(p.requires_grad for p in net.parameters())
    other = fresh_like(extracted(family), 1)
    random_weights(other, "kaiming", 0.5, 2)
    assert weights_hash(net) != weights_hash(other)


@pytest.mark.slow
def test_edge_popup_learns_digits_without_changing_a_weight() -> None:
    task = PruningTask(extracted(), digits(600), settings(batch_size=32), seed=1)
    pruner = METHODS.create("edge_popup", {"epochs": 10})
    found = [s for s in pruner.prune(task, [0.5, 0.7]) if isinstance(s, Pruned)]
    assert [p.asked for p in found] == [0.5, 0.7]
    for one in found:
        assert one.trained
        weights = dict(one.net.named_parameters())
        for name, mask in one.masks.items():
            assert int(mask.sum()) == round((1 - one.asked) * mask.numel())
            # All that are used still have the one size they were drawn with.
            assert len(weights[name][mask].abs().unique()) == 1
            assert not weights[name][~mask].any()
    assert accuracy(found[0].net, task.dataset, "validation") > 0.5


def test_impossible_densities_are_refused() -> None:
    for wrong in (0.0, 1.1):
        with pytest.raises(InvalidInput, match="supermask"):
            Supermask(fresh_like(extracted(), 1), wrong, 0)
