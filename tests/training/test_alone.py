"""Networks trained alone: chance, steps, calibration, resuming."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from core.errors import CoreError, DamagedArtifact
from core.networks.answers import accuracy
from core.networks.chain import fresh_like
from core.seeding import torch_seed
from core.tasks.image import ImageTask
from core.training import checkpoint
from core.training.alone import train_alone
from tests.helpers.nets import random_dataset, small_cnn
from tests.training.small import RecordingLedger, digits, settings

SHAPE = (1, 8, 8)


def template() -> nn.Sequential:
    net = small_cnn()
    return net.extract(net.smallest, net.calibrate(net.smallest, torch.from_numpy(digits().calibration.x)))


def trained(seed: int = 3, ledger: RecordingLedger | None = None, **changes: Any) -> nn.Sequential:
    config = settings(seed=seed, epochs=4, **changes)
    net = fresh_like(template(), config.seed)
    list(train_alone(net, digits(), config, ledger or RecordingLedger()))
    return net


def state(net: nn.Module) -> dict[str, bytes]:
    return {name: tensor.numpy().tobytes() for name, tensor in net.state_dict().items()}


# --- chance -------------------------------------------------------------------------


def test_same_seed_same_weights_other_seed_other_weights() -> None:
    assert state(trained(3)) == state(trained(3))
    assert state(trained(3)) != state(trained(4))


def test_the_order_of_images_is_not_that_of_a_supernet_with_the_same_seed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[int] = []
    real = ImageTask.epoch
    monkeypatch.setattr(ImageTask, "epoch", lambda *a, **k: (seen.append(k["seed"]), real(*a, **k))[1])
    trained(3)
    assert len(seen) == 4
    assert set(seen) == {torch_seed(3, "alone", "order")}


# --- training -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_it_learns_and_shuffled_labels_teach_nothing() -> None:
    from tests.training.small import with_labels

    data = digits(256)
    found = []
    for each in (data, with_labels(data, {"train": np.random.default_rng(0).permutation(data.train.y)})):
        net = small_cnn()
        subnet = net.extract(net.largest, net.calibrate(net.largest, torch.from_numpy(data.calibration.x)))
        fresh = fresh_like(subnet, 0)
        list(train_alone(fresh, each, settings(epochs=15, learning_rate=0.2), RecordingLedger()))
        found.append(accuracy(fresh, data, "validation"))
    assert found[0] > 0.7
    assert found[1] < 0.25


def test_one_step_is_plain_gradient_descent_on_the_labels() -> None:
    """Against torch written out by hand: batch statistics, cross-entropy, no momentum, no decay."""
    data = random_dataset(16)
    config = settings(
        epochs=1, batch_size=16, learning_rate=0.5, momentum=0, weight_decay=0, clip=0, warmup_epochs=0
    )
    net = fresh_like(template(), 2)
    by_hand = copy.deepcopy(net).train()
    loss = nn.functional.cross_entropy(
        by_hand(torch.from_numpy(data.train.x)), torch.from_numpy(data.train.y)
    )
    loss.backward()
    list(train_alone(net, data, config, RecordingLedger()))
    for mine, theirs in zip(net.parameters(), by_hand.parameters(), strict=True):
        expected = theirs.detach() - 0.5 * theirs.grad
        torch.testing.assert_close(mine, expected, rtol=1e-4, atol=1e-6)


def test_a_loss_that_is_no_number_ends_with_a_sentence_and_keeps_the_last_epoch() -> None:
    ledger = RecordingLedger()
    net = fresh_like(template(), 0)
    steps = train_alone(net, digits(), settings(epochs=5), ledger)
    while not ledger.checkpoints:
        next(steps)
    with torch.no_grad():
        net[0].conv.weight.fill_(float("nan"))
    with pytest.raises(CoreError, match=r"^Seed 3: Training diverged in epoch 2: "):
        list(steps)
    assert len(ledger.checkpoints) == 1


# --- BatchNorm ------------------------------------------------------------------------------------


def test_a_trained_network_carries_the_statistics_of_the_calibration_images() -> None:
    net = trained()
    first = net[0]
    x = (torch.from_numpy(digits().calibration.x) - first.mean) / first.std
    y = first.conv(x)
    torch.testing.assert_close(first.norm.running_mean, y.mean((0, 2, 3)), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(first.norm.running_var, y.var((0, 2, 3), correction=0), rtol=1e-4, atol=1e-5)


# --- resuming -------------------------------------------------------------------------------------


@pytest.mark.parametrize("stop_after", [1, 2, 3, 4])
def test_a_run_stopped_and_resumed_has_the_same_bits(stop_after: int) -> None:
    whole = RecordingLedger()
    expected = state(trained(ledger=whole, shift=1, flip=True, optimizer="adamw", learning_rate=0.01))
    config = settings(seed=3, epochs=4, shift=1, flip=True, optimizer="adamw", learning_rate=0.01)
    parts = RecordingLedger()
    steps = train_alone(fresh_like(template(), 3), digits(), config, parts)
    while len(parts.checkpoints) < stop_after:
        next(steps)
    steps.close()
    net = fresh_like(template(), 3)
    list(train_alone(net, digits(), config, parts))
    assert state(net) == expected
    assert parts.checkpoints == whole.checkpoints


@pytest.mark.parametrize("data", [b"", b"12345678", b"\x05\x00\x00\x00\x00\x00\x00\x00[1,2]", b"\xff" * 40])
def test_a_checkpoint_that_is_none_is_called_damaged(data: bytes) -> None:
    with pytest.raises(DamagedArtifact):
        checkpoint.about(data)
