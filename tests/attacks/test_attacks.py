"""Every attack stays in its ball and leaves the net alone; FGSM and PGD against what is known of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from core.attacks import ATTACKS
from core.errors import InvalidInput
from core.networks.answers import predictions
from tests.helpers.attacking import fgsm, pgd


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Dropout(0.5), nn.Linear(216, 4)
    )
    return layers.train()


X = np.random.default_rng(0).random((40, 1, 8, 8), dtype=np.float32)
IDS = np.arange(40) * 3


@pytest.mark.parametrize("name", ATTACKS.names())
def test_any_attack_stays_in_its_ball_and_depends_on_seed_and_id_alone(net: nn.Module, name: str) -> None:
    y, attack = predictions(net, X), ATTACKS.create(name)
    attacked = attack.run(net, X, y, 0.1, ids=IDS)
    assert np.abs(attacked - X).max() <= 0.1 + 1e-6
    assert attacked.min() >= 0
    assert attacked.max() <= 1
    assert (predictions(net, attacked) != y).any()
    some = attack.run(net, X[7:9], y[7:9], 0.1, ids=IDS[7:9])
    np.testing.assert_allclose(some, attacked[7:9], atol=1e-5)
    assert attack.label != name
    assert attack.source


def test_attacks_stay_within_eps_and_pgd_is_no_weaker(net: nn.Module) -> None:
    y = predictions(net, X)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    for eps in (0.01, 0.03, 0.1):
        one, many = fgsm(net, X, y, eps), pgd(net, X, y, eps, ids=IDS)
        for attacked in (one, many):
            assert np.abs(attacked - X).max() <= eps + 1e-6
            assert attacked.min() >= 0
            assert attacked.max() <= 1
        assert np.abs(one - X).max() == pytest.approx(eps, abs=1e-6)
        still, after = predictions(net, one) == y, predictions(net, many) == y
        assert not (after & ~still).any(), "what FGSM fools, PGD fools"
    assert after.mean() < 1, "the largest attack fools somebody"
    assert net.training
    assert all(parameter.grad is None and parameter.requires_grad for parameter in net.parameters())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_no_eps_no_change(net: nn.Module) -> None:
    y = np.arange(40) % 4
    np.testing.assert_array_equal(fgsm(net, X, y, 0.0), X)
    np.testing.assert_array_equal(pgd(net, X, y, 0.0, ids=IDS), X)
    for bad in (-0.1, 1.5):
        with pytest.raises(InvalidInput):
            fgsm(net, X, y, bad)
    with pytest.raises(InvalidInput):
        pgd(net, X, y, 0.1, ids=IDS[:3])


def test_fgsm_on_a_linear_net_is_the_formula() -> None:
    linear = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    y = np.zeros(40, np.int64)
    weight = linear[1].weight.detach().numpy()
    direction = np.sign(weight[1] - weight[0]).reshape(1, 1, 8, 8)  # raises the wrong class
    np.testing.assert_allclose(fgsm(linear, X, y, 0.05), np.clip(X + 0.05 * direction, 0, 1), atol=1e-6)


def test_pgd_is_seeded_by_sample(net: nn.Module) -> None:
    y = np.arange(40) % 4
    whole = pgd(net, X, y, 0.05, ids=IDS, steps=3)
    np.testing.assert_array_equal(whole, pgd(net, X, y, 0.05, ids=IDS, steps=3))
    some = pgd(net, X[7:9], y[7:9], 0.05, ids=IDS[7:9], steps=3)
    np.testing.assert_allclose(some, whole[7:9], atol=1e-5)
