"""What attacks are made of: the nearest image in the ball, the order of what is worse, batches that change nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from core.attacks import ATTACKS, base
from core.attacks.steps import badness, project, step
from core.errors import InvalidInput
from tests.helpers.attacking import fgsm, pgd

SMALL = settings(max_examples=80, deadline=None)
pixels = st.floats(0, 1, width=32)


@SMALL
@given(center=pixels, at=st.floats(-3, 3, width=32), eps=st.floats(0, 1, width=32), other=pixels)
def test_the_way_back_into_the_ball_is_the_shortest(
    center: float, at: float, eps: float, other: float
) -> None:
    found = float(project(torch.tensor([at]), torch.tensor([center]), eps))
    low, high = max(0.0, center - eps), min(1.0, center + eps)
    assert low - 1e-6 <= found <= high + 1e-6
    if low <= other <= high:
        assert abs(found - at) <= abs(other - at) + 1e-6


def linear(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 3))


@SMALL
@given(seed=st.integers(0, 50), size=st.floats(0, 0.3), eps=st.floats(0, 0.3))
def test_a_step_climbs_the_loss_of_a_linear_net_by_its_formula(seed: int, size: float, eps: float) -> None:
    net = linear(seed)
    images, labels = torch.rand(4, 3, 2, 2), torch.arange(4) % 3
    weight = net[1].weight.detach().double()
    with torch.no_grad():
        chances = net(images).double().softmax(1)
    gradient = ((chances - nn.functional.one_hot(labels, 3)) @ weight).view_as(images)
    clear = gradient.abs() > 1e-4
    wanted = (images + max(-eps, min(eps, size)) * gradient.sign()).clamp(0, 1)
    found = step(net, images, images, labels, size=size, eps=eps)
    torch.testing.assert_close(found[clear], wanted[clear].float(), atol=1e-6, rtol=0)
    assert not found.requires_grad
    assert all(p.grad is None for p in net.parameters())


@SMALL
@given(st.lists(st.lists(st.floats(-20, 20, width=32), min_size=3, max_size=3), min_size=2, max_size=6))
def test_wrong_ones_are_worse_than_right_ones_then_the_loss_decides(rows: list[list[float]]) -> None:
    logits, labels = torch.tensor(rows), torch.zeros(len(rows), dtype=torch.int64)
    found = badness(nn.Identity(), logits, labels)
    wrong = logits.argmax(1) != labels
    losses = nn.functional.cross_entropy(logits.double(), labels, reduction="none")
    for i in range(len(rows)):
        for j in range(len(rows)):
            if (wrong[i] and not wrong[j]) or (
                wrong[i] == wrong[j] and losses[i] > losses[j] * 1.01 + 1e-3 and losses[i] < 15
            ):
                assert found[i] > found[j]


@pytest.mark.parametrize("name", ATTACKS.names())
def test_batches_change_no_image_and_nothing_given_is_written_to(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng, net, attack = np.random.default_rng(0), linear(), ATTACKS.create(name)
    x, y = rng.random((11, 3, 2, 2), np.float32), np.arange(11) % 3
    before = x.copy()
    ids = [7 * i + 2**40 for i in range(11)]
    whole = attack.run(net, x, y, 0.2, ids=ids, seed=4)
    monkeypatch.setattr(base, "BATCH", 4)
    np.testing.assert_allclose(attack.run(net, x, y, 0.2, ids=ids, seed=4), whole, atol=1e-6)
    np.testing.assert_array_equal(x, before)
    x.setflags(write=False)
    attack.run(net, x, y, 0.2, ids=np.array(ids), seed=4)
    order = rng.permutation(11)
    mixed = attack.run(net, x[order], y[order], 0.2, ids=[ids[i] for i in order], seed=4)
    np.testing.assert_allclose(mixed, whole[order], atol=1e-6)
    assert whole.dtype == np.float32
    assert attack.run(net, x[:0], y[:0], 0.2, ids=[]).shape == (0, 3, 2, 2)


@pytest.mark.parametrize("name", ATTACKS.names())
@pytest.mark.parametrize("eps", [-1e-9, 1.0000001, float("nan"), float("inf")])
def test_an_impossible_ball_is_one_sentence(name: str, eps: float) -> None:
    x, y = np.zeros((2, 3, 2, 2), np.float32), np.zeros(2, np.int64)
    with pytest.raises(InvalidInput, match="between 0 and 1"):
        ATTACKS.create(name).run(linear(), x, y, eps, ids=[0, 1])


def test_the_mode_comes_back_after_a_failure() -> None:
    class Broken(nn.Module):
        """Fails in use."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("broken")

    for training in (True, False):
        net = nn.Sequential(Broken(), nn.Dropout()).train(training)
        with pytest.raises(RuntimeError, match="broken"):
            fgsm(net, np.zeros((1, 1, 2, 2), np.float32), np.zeros(1, np.int64), 0.1)
        assert all(module.training == training for module in net.modules())


def test_a_step_is_two_and_a_half_balls_over_the_number_of_steps_unless_chosen() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 16), nn.Tanh(), nn.Linear(16, 3))
    rng = np.random.default_rng(0)
    x, y = rng.random((20, 3, 2, 2), np.float32), np.arange(20) % 3
    usual = pgd(net, x, y, 0.2, ids=range(20), steps=5)
    np.testing.assert_array_equal(pgd(net, x, y, 0.2, ids=range(20), steps=5, step_size=0.1), usual)
    assert (pgd(net, x, y, 0.2, ids=range(20), steps=5, step_size=0.03) != usual).any()
    for wrong in ({"steps": 0}, {"step_size": 0.0}, {"step_size": 1.5}):
        with pytest.raises(InvalidInput, match=next(iter(wrong))):
            ATTACKS.create("pgd", wrong)
