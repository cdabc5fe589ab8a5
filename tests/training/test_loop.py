"""The loop: schedules, what decays, divergence, checkpoints, and that nothing is learned from nothing."""

from __future__ import annotations

import dataclasses
import math
import random

import numpy as np
import pytest
import torch
from safetensors.torch import load
from torch import Tensor

from core.errors import CoreError, DamagedArtifact, InvalidInput
from core.evaluation.evaluator import evaluate_table
from core.store import MemoryLedger
from core.supernets import FAMILIES
from core.tasks.base import evaluation_data
from core.training import checkpoint
from core.training.actions import ACTIONS
from core.training.config import TrainingConfig
from core.training.loop import train
from core.training.optimizing import learning_rate, make_optimizer
from core.training.session import WEIGHTS
from core.training.strategies import STRATEGIES
from core.training.supernet_session import SupernetSession
from tests.helpers.families import IMAGE_FAMILIES
from tests.helpers.nets import random_dataset
from tests.training.small import (
    RecordingLedger,
    digest,
    digits,
    fresh_net,
    net_for,
    settings,
    trained_often,
    weights,
    with_labels,
)

# --- schedule and optimizer -----------------------------------------------------------------------


def test_the_rate_warms_up_then_falls_as_a_cosine_in_every_phase() -> None:
    config = settings(learning_rate=0.2, warmup_epochs=2)
    rates = [learning_rate(config, s, 100, 10, factor=0.5) for s in range(100)]
    assert np.all(np.diff(rates[:21]) > 0)
    assert np.all(np.diff(rates[20:]) < 0)
    assert rates[20] == pytest.approx(0.1)
    assert rates[60] == pytest.approx(0.05)
    assert 0 < rates[0] < 0.01
    assert 0 < rates[-1] < 1e-4


def test_the_rate_may_end_constant() -> None:
    config = settings(learning_rate=0.2, warmup_epochs=0, final_share=0.05)
    rates = [learning_rate(config, s, 100, 10) for s in range(100)]
    assert rates[0] == pytest.approx(0.2)
    assert min(rates) == rates[-1] == rates[-5] == pytest.approx(0.01)


def test_warm_up_never_takes_more_than_half_of_a_phase() -> None:
    rates = [learning_rate(settings(warmup_epochs=50), s, 10, 10) for s in range(10)]
    assert int(np.argmax(rates)) == 5


@pytest.mark.parametrize("family", IMAGE_FAMILIES)
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_norms_and_biases_and_kernel_matrices_do_not_decay(family: str, optimizer: str) -> None:
    cls = FAMILIES.get(family)
    net = cls(cls.example((1, 8, 8)))
    groups = make_optimizer(net, settings(optimizer=optimizer, weight_decay=0.03)).param_groups
    decay = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    assert len(decay) == len(list(net.parameters()))
    for name, parameter in net.named_parameters():
        free = name.endswith("bias") or "norm" in name or ".transforms." in name
        if free or parameter.ndim >= 4:
            assert decay[id(parameter)] == (0.0 if free else 0.03), name


def test_weights_without_gradient_shrink_by_exactly_the_decay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels cannot move a network whose loss is constant: what remains is the decay."""
    net, data = fresh_net(), random_dataset(8)
    before = weights(net)
    monkeypatch.setattr(SupernetSession, "loss", lambda session, terms, outputs, *rest: 0 * outputs.sum())
    config = settings(
        epochs=1, batch_size=8, learning_rate=0.5, weight_decay=0.1, warmup_epochs=0, momentum=0
    )
    list(train(net, data, config, MemoryLedger()))
    after = weights(net)
    for name in before:
        factor = 0.95 if before[name].ndim > 1 and "transforms" not in name else 1.0
        np.testing.assert_allclose(after[name], before[name] * factor, rtol=1e-6, err_msg=name)


def test_gradients_are_clipped_entry_by_entry() -> None:
    net, data = fresh_net(), random_dataset(16)
    before = weights(net)
    config = {
        "epochs": 1,
        "batch_size": 16,
        "learning_rate": 1.0,
        "momentum": 0,
        "weight_decay": 0,
        "warmup_epochs": 0,
    }
    list(train(net, data, settings(**config, clip=1e-3), MemoryLedger()))
    moved = max(float(np.abs(weights(net)[n] - before[n]).max()) for n in before)
    assert moved == pytest.approx(1e-3, rel=1e-3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"batch_size": 1},
        {"learning_rate": 0},
        {"momentum": 1},
        {"strategy": "no_such"},
        {"epoch": 5},
    ],
)
def test_settings_out_of_bounds_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises((ValueError, InvalidInput)):
        TrainingConfig.model_validate(wrong)


def test_every_setting_has_a_description_and_a_default() -> None:
    for name, field in TrainingConfig.model_fields.items():
        assert field.description, name
        assert not field.is_required()


# --- what training learns -------------------------------------------------------------------------


def accuracy_after(labels_shuffled: bool) -> float:
    data = digits(256)
    if labels_shuffled:
        data = with_labels(data, {"train": np.random.default_rng(0).permutation(data.train.y)})
    net = fresh_net()
    list(train(net, data, settings(strategy="sandwich", epochs=25, learning_rate=0.2), MemoryLedger()))
    rows = net.space.sample_array(12, np.random.default_rng(1))
    return float(
        evaluate_table(net, rows, ("accuracy",), evaluation_data(data, ("validation",)))["accuracy"].mean()
    )


@pytest.mark.slow
def test_shuffled_labels_teach_nothing() -> None:
    """Guards against validation images or labels that leak into training."""
    assert accuracy_after(labels_shuffled=True) < 0.2
    assert accuracy_after(labels_shuffled=False) > 0.35


def test_validation_and_test_labels_never_reach_the_weights() -> None:
    data, nets = digits(), [fresh_net(), fresh_net()]
    other = with_labels(data, {"validation": (data.validation.y + 1) % 10, "test": (data.test.y + 1) % 10})
    for net, dataset in zip(nets, (data, other), strict=True):
        list(train(net, dataset, settings(epochs=2), MemoryLedger()))
    assert digest(nets[0]) == digest(nets[1])


def test_the_curve_shows_what_the_evaluator_measures() -> None:
    data, net, ledger = digits(), fresh_net(), MemoryLedger()
    list(train(net, data, settings(epochs=2), ledger))
    both = np.array([net.smallest, net.largest], np.uint8)
    found = evaluate_table(net, both, ("accuracy",), evaluation_data(data, ("validation",)))["accuracy"]
    last = ledger.metrics()[-1]
    assert (last["smallest"], last["largest"]) == tuple(found.tolist())


def test_seed_decides_and_global_generators_do_not() -> None:
    found = []
    for seed, noise in ((0, 1), (0, 2), (1, 1)):
        net = fresh_net()
        torch.manual_seed(noise)
        np.random.seed(noise)
        list(train(net, digits(), settings(epochs=2, seed=seed, shift=1, flip=True), MemoryLedger()))
        found.append(digest(net))
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize("strategy", trained_often(*STRATEGIES.names()))
def test_global_generators_stand_where_they_stood(strategy: str) -> None:
    data, net = digits(), net_for(strategy)  # reading data imports libraries, some of which draw numbers
    torch.manual_seed(1)
    np.random.seed(2)
    random.seed(3)
    before = torch.get_rng_state(), np.random.get_state(), random.getstate()
    list(train(net, data, settings(strategy=strategy, shift=1, flip=True), MemoryLedger()))
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_equal(np.random.get_state(), before[1])
    assert random.getstate() == before[2]


def test_a_teacher_is_frozen_and_travels_with_the_checkpoint() -> None:
    ledger = RecordingLedger()
    list(train(fresh_net(), digits(), settings(strategy="progressive_shrinking", epochs=6), ledger))
    phases = [m["phase"] for m in ledger.metrics()]
    teachers = [{n: t for n, t in load(c).items() if n.startswith("teacher.")} for c in ledger.checkpoints]
    first = phases.index(next(p for p in phases if p != phases[0]))
    assert not any(teachers[:first])
    full = {
        n.removeprefix("net."): t
        for n, t in load(ledger.checkpoints[first - 1]).items()
        if n.startswith("net.")
    }
    for teacher in teachers[first:]:
        assert teacher.keys() == {f"teacher.{n}" for n in full}
        assert all(torch.equal(teacher[f"teacher.{n}"], t) for n, t in full.items())


@pytest.mark.slow
def test_channels_are_sorted_once_before_the_first_width_and_lose_their_momentum(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Momentum gathered for one channel would push another."""
    sorted_at: list[tuple[int, int]] = []
    honest = ACTIONS["sort_channels"]

    def spied(session: SupernetSession) -> None:
        before = weights(session.net)
        honest(session)
        if any((before[n] != after).any() for n, after in weights(session.net).items()):
            sorted_at.append((session.epoch, len(session.optimizers[WEIGHTS].state)))

    monkeypatch.setitem(ACTIONS, "sort_channels", spied)
    ledger = MemoryLedger()
    list(train(fresh_net(), digits(), settings(strategy="progressive_shrinking", epochs=8), ledger))
    first_width = [m["phase"].startswith("width") for m in ledger.metrics()].index(True)
    assert sorted_at == [(first_width, 0)]


def test_data_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InvalidInput, match="does not fit"):
        list(train(fresh_net(), random_dataset(20, (3, 8, 8)), settings(), MemoryLedger()))


def test_too_few_epochs_for_the_phases_are_refused() -> None:
    with pytest.raises(InvalidInput, match="at least 4 epochs"):
        list(
            train(fresh_net(), digits(), settings(strategy="progressive_shrinking", epochs=3), MemoryLedger())
        )


# --- divergence -----------------------------------------------------------------------------------


def finite(data: bytes) -> bool:
    return all(bool(torch.isfinite(t).all()) for t in load(data).values())


def test_a_rate_beyond_reason_stops_with_one_sentence_and_keeps_nothing_broken() -> None:
    ledger = RecordingLedger()
    config = settings(epochs=30, learning_rate=1e12, warmup_epochs=0, clip=0)
    with pytest.raises(CoreError, match=r"diverged in epoch \d+") as caught:
        list(train(fresh_net(), digits(), config, ledger))
    assert str(caught.value).count("\n") == 0
    assert all(finite(c) for c in ledger.checkpoints)
    assert f"in epoch {len(ledger.checkpoints) + 1}:" in str(caught.value)


def test_a_broken_image_stops_the_first_epoch() -> None:
    data = digits()
    x = data.train.x.copy()
    x[5] = np.nan
    ledger = RecordingLedger()
    with pytest.raises(CoreError, match=r"epoch 1: the loss is no longer a number\. Nothing was saved"):
        list(
            train(
                fresh_net(),
                dataclasses.replace(data, train=dataclasses.replace(data.train, x=x)),
                settings(),
                ledger,
            )
        )
    assert ledger.checkpoints == []


@pytest.mark.parametrize("strategy", ["sandwich", "sorted_net"])
def test_a_loss_that_breaks_in_the_last_draw_of_an_epoch_is_not_saved(
    strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three steps per epoch: the very last loss of the second epoch is infinite."""
    draws, calls, honest = {"sandwich": 4, "sorted_net": 2}[strategy], [0], SupernetSession.loss

    def broken(session: SupernetSession, *given: object) -> Tensor:
        calls[0] += 1
        return honest(session, *given) * (math.inf if calls[0] == 2 * 3 * draws else 1)

    monkeypatch.setattr(SupernetSession, "loss", broken)
    ledger = RecordingLedger()
    with pytest.raises(CoreError, match=r"epoch 2: the loss .* The checkpoint of epoch 1 is kept"):
        list(train(fresh_net(), digits(), settings(strategy=strategy), ledger))
    assert len(ledger.checkpoints) == 1
    assert finite(ledger.checkpoints[0])


@pytest.mark.slow
def test_what_divergence_left_can_be_resumed(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a fault of one moment, the kept checkpoint leads to the weights of a run without it."""
    whole, net, ledger = fresh_net(), fresh_net(), MemoryLedger()
    list(train(whole, digits(), settings(), MemoryLedger()))
    honest, calls = SupernetSession.loss, [0]

    def broken(session: SupernetSession, *given: object) -> Tensor:
        calls[0] += 1
        return honest(session, *given) * (math.nan if calls[0] == 30 else 1)

    monkeypatch.setattr(SupernetSession, "loss", broken)
    with pytest.raises(CoreError, match="diverged in epoch 3"):
        list(train(net, digits(), settings(), ledger))
    monkeypatch.setattr(SupernetSession, "loss", honest)
    assert digest(net) != digest(whole)
    list(train(net, digits(), settings(), ledger))
    assert digest(net) == digest(whole)


def test_weights_that_break_in_the_last_step_of_an_epoch_are_not_saved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A finite loss can have a gradient that is not."""
    honest, calls = SupernetSession.loss, [0]

    def steep(session: SupernetSession, terms: object, outputs: Tensor, *rest: object) -> Tensor:
        calls[0] += 1
        loss = honest(session, terms, outputs, *rest)
        return loss + 0 * (outputs.sum() * 0).sqrt() if calls[0] == 2 * 3 else loss

    monkeypatch.setattr(SupernetSession, "loss", steep)
    ledger = RecordingLedger()
    with pytest.raises(CoreError, match=r"epoch 2: a weight .* The checkpoint of epoch 1 is kept"):
        list(train(fresh_net(), digits(), settings(strategy="uniform"), ledger))
    assert len(ledger.checkpoints) == 1


# --- checkpoints ----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("strategy", ["sandwich", "progressive_shrinking"])
@pytest.mark.parametrize("cut", [1, 2, 3])
def test_resuming_gives_the_same_bits_with_either_optimizer(optimizer: str, strategy: str, cut: int) -> None:
    """Four epochs of progressive shrinking are four phases: every cut is a boundary."""
    config = settings(epochs=4, strategy=strategy, optimizer=optimizer, learning_rate=0.01, shift=1)
    recorded, whole = RecordingLedger(), fresh_net()
    list(train(whole, digits(), config, recorded))
    ledger, net = MemoryLedger(), fresh_net(seed=9)
    ledger.checkpoint(recorded.checkpoints[cut - 1], fraction=0.5)
    list(train(net, digits(), config, ledger))
    assert digest(net) == digest(whole)


def test_a_finished_training_is_not_trained_again() -> None:
    ledger, net = RecordingLedger(), fresh_net()
    list(train(net, digits(), settings(epochs=2), ledger))
    again = fresh_net(seed=5)
    assert len(list(train(again, digits(), settings(epochs=2), ledger))) == 1
    assert digest(again) == digest(net)
    assert len(ledger.checkpoints) == 2


@pytest.mark.parametrize(
    "spoil", [lambda d: b"", lambda d: d[:-7], lambda d: b"\x80\x04K\x01.", lambda d: d[:8] + b"x" + d[9:]]
)
def test_a_damaged_checkpoint_says_so(spoil) -> None:
    recorded = RecordingLedger()
    list(train(fresh_net(), digits(), settings(epochs=1), recorded))
    net = fresh_net()
    with pytest.raises(DamagedArtifact, match="start the run anew"):
        checkpoint.restore(spoil(recorded.checkpoints[0]), net, {WEIGHTS: make_optimizer(net, settings())})


def test_a_checkpoint_of_another_network_says_so() -> None:
    recorded = RecordingLedger()
    list(train(fresh_net(kernel_transform=False), digits(), settings(epochs=1), recorded))
    net = fresh_net()
    with pytest.raises(DamagedArtifact):
        checkpoint.restore(recorded.checkpoints[0], net, {WEIGHTS: make_optimizer(net, settings())})
