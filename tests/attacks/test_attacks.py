"""Every attack stays in its ball and leaves the net alone; FGSM and PGD against what is known of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from core.attacks import ATTACKS
from core.errors import InvalidInput
from core.networks.answers import predictions
from core.seeding import stream
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


def worst_of_many(net: nn.Module, y: np.ndarray, eps: float, steps: int) -> tuple[torch.Tensor, np.ndarray]:
    """Madry et al. written out, sample by sample: the worst of clean, FGSM, random start and every step.

    Returns the images and which kind of candidate won (0 clean, 1 FGSM, 2 start, 3 and more a step).
    """
    found, winners = [], []
    for i, target in enumerate(torch.from_numpy(y)):
        clean = torch.from_numpy(X[i : i + 1].copy())

        def climb(
            at: torch.Tensor, size: float, clean: torch.Tensor = clean, target: torch.Tensor = target
        ) -> torch.Tensor:
            at = at.clone().requires_grad_(True)
            nn.functional.cross_entropy(net(at), target[None]).backward(inputs=[at])
            moved = at.detach() + size * at.grad.sign()
            return torch.clamp(torch.min(torch.max(moved, clean - eps), clean + eps), 0, 1)

        offset = stream(0, "pgd", int(IDS[i])).uniform(-eps, eps, (1, 8, 8)).astype(np.float32)
        tried = [clean, climb(clean, eps), torch.clamp(clean + torch.from_numpy(offset), 0, 1)]
        for _ in range(steps):
            tried.append(climb(tried[-1], 2.5 * eps / steps))
        with torch.no_grad():
            logits = net(torch.cat(tried))
            loss = nn.functional.cross_entropy(logits, target.expand(len(tried)), reduction="none")
            wrong = logits.argmax(1) != target
        best = max(range(len(tried)), key=lambda k: (bool(wrong[k]), float(loss[k])))
        found.append(tried[best])
        winners.append(best)
    return torch.cat(found), np.array(winners)


def test_pgd_is_the_worst_of_a_random_start_and_its_steps(net: nn.Module) -> None:
    net.eval()
    y = predictions(net, X)
    expected, winners = worst_of_many(net, y, 0.06, 6)
    found = pgd(net, X, y, 0.06, ids=IDS, steps=6)
    same = np.isclose(found, expected.numpy(), atol=1e-5).all((1, 2, 3))
    assert same.mean() > 0.9, "a gradient near zero may have either sign"
    assert (winners > 2).mean() > 0.5, (
        "steps, not FGSM, decide most samples; else this test would see nothing"
    )


def test_pgd_is_seeded_by_sample(net: nn.Module) -> None:
    y = np.arange(40) % 4
    whole = pgd(net, X, y, 0.05, ids=IDS, steps=3)
    np.testing.assert_array_equal(whole, pgd(net, X, y, 0.05, ids=IDS, steps=3))
    some = pgd(net, X[7:9], y[7:9], 0.05, ids=IDS[7:9], steps=3)
    np.testing.assert_allclose(some, whole[7:9], atol=1e-5)
